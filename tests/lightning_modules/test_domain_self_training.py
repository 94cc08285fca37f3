"""Self-training across domains with a network of a few weights, step by step."""

import copy
import dataclasses

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from lightning_modules.panoptic_segmenter import PanopticSegmenter
from relief.models.criteria.domain_self_training import DomainSelfTraining
from relief.models.optimization.trained_parameters import FixedStatistics
from relief.models.segmenters.deeplab import DeepLabV2
from relief.models.segmenters.semantic_bodies import SmallBody
from relief.models.self_training.views import CroppedViews
from relief.models.teachers.mean_teacher import MeanTeacher
from relief.schema.errors import WeightsError
from relief.schema.label_spaces import CITYSCAPES_19
from relief.schema.training import DetectorClasses, LabelOrigin

CLASSES = DetectorClasses((2,), (0, 1), apart=True)
SIZE = (16, 32)


def network(num_things, num_regions):
    torch.manual_seed(0)
    return DeepLabV2(num_things, num_regions, SmallBody((4, 4, 4), 1), dilations=(1,))


def batch(number):
    generator = torch.Generator().manual_seed(number)
    return {
        "image": torch.rand(2, 3, *SIZE, generator=generator),
        "semantic": torch.randint(1, 4, (2, *SIZE), generator=generator),
        "instance": torch.zeros(2, *SIZE, dtype=torch.int64),
        "classes": [torch.zeros(0, dtype=torch.int64)] * 2,
        "key": ["a", "b"],
        "unlabelled": {"image": torch.rand(1, 3, *SIZE, generator=generator), "key": ["c"]},
    }


class Pair(pl.LightningDataModule):
    label_space = CITYSCAPES_19
    classes = CLASSES
    label_origin = LabelOrigin(("source labels: drawn streets",), label_classes="cityscapes19")

    def train_dataloader(self):
        first = self.trainer.global_step
        return DataLoader([batch(n) for n in range(first, 6)], batch_size=None)


@pytest.fixture
def source(tmp_path):
    weights = network(1, 3).state_dict()
    content = {
        "state_dict": {f"network.{name}": value for name, value in weights.items()},
        "classes": dataclasses.asdict(CLASSES), "supervision": ["source labels: Synthia"],
        "notes": [], "label_classes": "cityscapes19",
    }  # fmt: skip
    torch.save(content, tmp_path / "source.ckpt")
    return tmp_path / "source.ckpt"


def trainer_of(checkpoint):
    return PanopticSegmenter(
        network,
        checkpoint=checkpoint,
        trained=FixedStatistics(),
        criterion=DomainSelfTraining(views=CroppedViews(number=2), augmentations=[]),
        teacher=MeanTeacher(decay=0.9, every_n_steps=2),
        optimizer=lambda groups: torch.optim.SGD(groups, lr=0.01),
    )


def fit(model, steps, ckpt_path=None, data=None):
    trainer = pl.Trainer(
        max_steps=steps, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.ckpt_path = ckpt_path
    trainer.fit(model, datamodule=data or Pair(), ckpt_path=ckpt_path)
    return trainer


def test_statistics_stay_the_teacher_follows_and_the_sources_are_told(source, tmp_path):
    model = trainer_of(source)
    trainer = fit(model, 3)
    start = torch.load(source, weights_only=True)["state_dict"]
    moved = {n for n, v in model.network.state_dict().items() if not v.equal(start[f"network.{n}"])}
    assert moved
    assert not any("running" in name for name in moved)
    weight = model.teacher.state_dict()["branches.0.weight"]
    assert not weight.equal(start["network.branches.0.weight"])
    assert not weight.equal(model.network.state_dict()["branches.0.weight"])
    assert {"train/loss_target", "train/labelled_share", "train/prior_1"} <= set(
        trainer.callback_metrics
    )
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    content = torch.load(tmp_path / "last.ckpt", weights_only=True)
    told = ("source labels: Synthia", "source labels: drawn streets")
    assert tuple(content["supervision"]) == told
    assert content["state_dict"]["criterion.prior"].equal(model.criterion.prior)


def test_a_resumed_training_ends_with_the_same_weights(source, tmp_path):
    whole, half, rest = trainer_of(source), trainer_of(source), trainer_of(source)
    fit(whole, 4)
    fit(half, 2).save_checkpoint(tmp_path / "half.ckpt")
    fit(rest, 4, str(tmp_path / "half.ckpt"))
    expected = copy.deepcopy(whole.state_dict())
    for name, value in rest.state_dict().items():
        assert torch.equal(value, expected[name]), name


def test_a_prediction_moves_neither_the_teacher_nor_any_statistics(source):
    model = trainer_of(source)
    fit(model, 2)
    before = copy.deepcopy(model.state_dict())
    model.eval()
    for network in (model.network, model.teacher, model.segmenter):
        network.predict(batch(7)["image"])
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_other_classes_than_those_of_the_labels_are_refused(source):
    data = Pair()
    data.classes = DetectorClasses((1,), (0, 2), apart=True)
    with pytest.raises(WeightsError, match=r"^checkpoint of other classes: .*source.ckpt"):
        fit(trainer_of(source), 1, data=data)
