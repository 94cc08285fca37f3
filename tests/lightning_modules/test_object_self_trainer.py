from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader

from lightning_modules.object_self_trainer import ObjectSelfTrainer
from relief.models.criteria.pixel_embeddings import PixelEmbeddings
from relief.models.teachers.mean_teacher import MeanTeacher
from relief.schema.errors import UsageError
from relief.schema.label_spaces import CITYSCAPES_19
from relief.schema.training import DetectorClasses, LabelOrigin
from relief.splitters.embedding_clusters import EmbeddingClusters, MeanShift

CLASSES = DetectorClasses((3, 4), (0,), apart=True)
STUFF, CARS, PEOPLE = 1, 2, 3  # regions of the semantic head


class Colours(nn.Module):
    def __init__(self, num_things=0, num_regions=0):
        super().__init__()
        self.body = nn.Conv2d(3, 3, 1, bias=False)

    def embed(self, image):
        return self.body(image)

    def predict(self, image, size=None):
        raise AssertionError("not measured here")


def scene(key="a"):
    """Two cars side by side and a person, in colours of their own; all before one background."""
    image, semantic = torch.zeros(3, 8, 16), torch.full((8, 16), STUFF)
    image[0, :6, :5], image[1, :6, 5:9], image[2, :6, 12:] = 1, 1, 1
    semantic[:6, :9], semantic[:6, 12:] = CARS, PEOPLE
    return {"image": image, "semantic": semantic, "key": key}


def batch(images=2):
    scenes = [scene(f"k{i}") for i in range(images)]
    return {
        "image": torch.stack([s["image"] for s in scenes]),
        "semantic": torch.stack([s["semantic"] for s in scenes]),
        "instance": torch.zeros(images, 8, 16, dtype=torch.int64),  # what labels say is not used
        "classes": [torch.zeros(0, dtype=torch.int64)] * images,
        "key": [s["key"] for s in scenes],
    }


class Batches(pl.LightningDataModule):
    label_space, classes, label_origin = CITYSCAPES_19, CLASSES, LabelOrigin(("labels: some",))

    def train_dataloader(self):
        return DataLoader([batch()] * 8, batch_size=None)


@pytest.fixture
def checkpoint(tmp_path):
    weights = {"network.body.weight": 3 * torch.eye(3)[..., None, None]}
    content = {
        "state_dict": weights, "classes": {"things": (3, 4), "stuff": (0,), "apart": True},
        "supervision": ["source labels: drawn"], "label_classes": None,
    }  # fmt: skip
    torch.save(content, tmp_path / "begin.ckpt")
    return tmp_path / "begin.ckpt"


def trainer_of(checkpoint, **options):
    defaults = {
        "splitter": EmbeddingClusters(MeanShift(support_share=0), min_area_px=2),
        "network": Colours, "checkpoint": checkpoint, "teacher": MeanTeacher(0.5),
        "criterion": PixelEmbeddings(most_anchors=3), "renewed_every_n_steps": 3,
        "optimizer": lambda groups: torch.optim.SGD(groups, lr=0.05),
    }  # fmt: skip
    return ObjectSelfTrainer(**{**defaults, **options})


def begun(checkpoint, **options):
    module = trainer_of(checkpoint, **options)
    module._trainer = SimpleNamespace(
        datamodule=Batches(), ckpt_path=None, max_steps=8, global_step=0,
        strategy=SimpleNamespace(root_device=torch.device("cpu")), accumulate_grad_batches=1,
        world_size=1, global_rank=0,
    )  # fmt: skip
    module.configure_model()
    module.log_dict = lambda *args, **kwargs: None
    return module


def test_objects_are_clusters_within_regions_and_have_their_class(checkpoint):
    found = begun(checkpoint).relabelled(batch())
    for instance, classes in zip(found["instance"], found["classes"], strict=True):
        things = [instance[:6, :5].unique(), instance[:6, 5:9].unique(), instance[:6, 12:].unique()]
        assert [len(ids) for ids in things] == [1, 1, 1]
        assert sorted(int(ids) for ids in things) == [1, 2, 3]
        assert [int(classes[int(ids) - 1]) for ids in things] == [0, 0, 1]
        assert not instance[6:].any()
        assert not instance[:, 9:12].any()


def test_labelled_images_keep_their_objects_beside_those_found(checkpoint):
    module, learned = begun(checkpoint), []
    module.learn = lambda joined: learned.append(joined) or torch.zeros(())
    labelled = batch(1)
    labelled["instance"][:, 0, 0], labelled["classes"] = 1, [torch.tensor([1])]
    module.training_step({**labelled, "unlabelled": batch(3)}, 0)
    (joined,) = learned
    assert joined["image"].shape == (4, 3, 8, 16)
    assert int(joined["instance"][0].sum()) == 1
    assert [len(classes) for classes in joined["classes"]] == [1, 3, 3, 3]
    assert joined["key"] == ["k0", "k0", "k1", "k2"]
    with pytest.raises(UsageError, match="no regions"):
        module.training_step({**labelled, "unlabelled": {"image": torch.rand(1, 3, 8, 16)}}, 0)


def fitted(checkpoint, folder, max_steps, resumed=None):
    module = trainer_of(checkpoint)
    trainer = pl.Trainer(
        accelerator="cpu", max_steps=max_steps, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, limit_val_batches=0,
    )  # fmt: skip
    trainer.ckpt_path = resumed
    trainer.fit(module, Batches(), ckpt_path=resumed)
    trainer.save_checkpoint(folder / f"{max_steps}.ckpt")
    return module


def test_labels_are_renewed_every_so_many_steps_and_a_resume_goes_on_with_them(
    checkpoint, tmp_path
):
    whole = fitted(checkpoint, tmp_path, 5)
    halfway = fitted(checkpoint, tmp_path, 4)
    frozen, moved = (part.body.weight for part in (halfway.labelling, halfway.teacher))
    assert not torch.equal(frozen, moved)  # renewed before step 3, followed since
    assert not torch.equal(frozen, 3 * torch.eye(3)[..., None, None])
    (tmp_path / "resumed").mkdir()
    resumed = fitted(checkpoint, tmp_path / "resumed", 5, str(tmp_path / "4.ckpt"))
    for name, value in whole.state_dict().items():
        if not name.startswith("quality"):
            assert torch.equal(value, resumed.state_dict()[name]), name
    saved = torch.load(tmp_path / "5.ckpt", weights_only=True)
    assert saved["supervision"] == ("source labels: drawn", "labels: some")


def test_what_is_missing_is_told(checkpoint):
    with pytest.raises(UsageError, match="checkpoint and"):
        trainer_of(None)
    with pytest.raises(UsageError, match="checkpoint and"):
        trainer_of(checkpoint, teacher=None)
    with pytest.raises(UsageError, match="renewed_every_n_steps=0"):
        trainer_of(checkpoint, renewed_every_n_steps=0)
