from types import SimpleNamespace

import pytest
import torch

from datamodules.domain_pair import DomainPair
from datamodules.pseudo_labels import PseudoLabels
from datamodules.unlabelled_images import UnlabelledImages
from relief.schema.errors import ReadError, UsageError
from relief.sources.ground_truth import GroundTruthLabels


@pytest.fixture
def pair(tiny_cityscapes):
    root, options = str(tiny_cityscapes), {"size": (32, 64), "num_workers": 0}
    labels = GroundTruthLabels(root, "val", domain="drawn streets")
    labelled = PseudoLabels(root, labels, split="val", batch_size=2, things_apart=True, **options)
    data = DomainPair(labelled, UnlabelledImages(root, split="val", batch_size=3, **options))
    data.setup("fit")
    data.trainer = SimpleNamespace(
        max_steps=4, accumulate_grad_batches=1, global_rank=0, world_size=1, global_step=1,
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
        num_devices=1, state=SimpleNamespace(fn="fit"),
    )  # fmt: skip
    return data


def transferred(data, batch):
    return data.on_after_batch_transfer(data.on_before_batch_transfer(batch, 0), 0)


def test_batches_hold_both_domains_and_go_on_where_they_were(pair):
    loaders = pair.train_dataloader()
    batches = [
        transferred(pair, {"labelled": first, "unlabelled": second})
        for first, second in zip(*loaders.values(), strict=True)
    ]
    assert len(batches) == 3  # one step is done
    for batch in batches:
        assert batch["image"].shape == (2, 3, 32, 64)
        assert batch["semantic"].shape == (2, 32, 64)
        assert batch["unlabelled"]["image"].shape == (3, 3, 32, 64)
        assert batch["unlabelled"]["image"].dtype == torch.float32
        assert "target" not in batch["unlabelled"]


def test_the_second_domain_is_measured_and_the_first_is_told(pair):
    batch = transferred(pair, next(iter(pair.val_dataloader())))
    assert "target" in batch
    assert "unlabelled" not in batch
    assert pair.label_origin.supervision == ("source labels: drawn streets",)
    assert pair.classes == pair.labelled.classes
    assert set(pair.contents()) == {"labelled", "unlabelled"}


def test_images_that_are_measured_are_not_learned_unless_their_split_is_named(tiny_cityscapes):
    options = {"size": (32, 64), "batch_size": 1, "num_workers": 0}
    data = UnlabelledImages(str(tiny_cityscapes), **options)
    data.setup("fit")
    data.trainer = SimpleNamespace(
        max_steps=8, accumulate_grad_batches=1, global_rank=0, world_size=1, global_step=0,
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
        num_devices=1, state=SimpleNamespace(fn="fit"),
    )  # fmt: skip
    learned = {key for batch in data.train_dataloader() for key in batch["key"]}
    measured = {key for batch in data.val_dataloader() for key in batch["key"]}
    assert learned and measured
    assert not learned & measured


def test_a_file_that_cannot_be_read_stops_on_either_side(pair):
    failed = {"failures": [{"key": "a", "reason": "cannot read image: a."}]}
    for sides in ((failed, {}), ({}, failed)):
        with pytest.raises(ReadError, match="cannot read image"):
            pair.on_before_batch_transfer(
                dict(zip(("labelled", "unlabelled"), sides, strict=True)), 0
            )


def test_regions_of_the_second_domain_come_along_and_what_they_depended_on(pair, tiny_cityscapes):
    root = str(tiny_cityscapes)
    options = {"size": (32, 64), "num_workers": 0, "split": "val"}

    def both(**others):
        labels = GroundTruthLabels(root, "val")
        second = PseudoLabels(root, labels, batch_size=1, **options, **others)
        data = DomainPair(pair.labelled, second)
        data.setup("fit")
        data.trainer = pair.trainer
        return data

    data = both(things_apart=True)
    first, second = (next(iter(loader)) for loader in data.train_dataloader().values())
    batch = transferred(data, {"labelled": first, "unlabelled": second})
    assert batch["unlabelled"]["semantic"].shape == (1, 32, 64)
    assert data.label_origin.supervision == (
        "source labels: drawn streets", "labels: ground truth of val (cityscapes19)",
    )  # fmt: skip
    with pytest.raises(UsageError, match="labels of other classes"):
        both(things_apart=False)
