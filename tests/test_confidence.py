"""A splitter of one's own says how sure it is; a loss of one's own hears of it."""

import json

import pytest
import torch
from torch import nn

from datamodules.pseudo_labels import PseudoLabels
from relief.formats.label_store import LabelStore, confidence_path
from relief.models.augmentations.flip_and_crop import FlipAndCrop
from relief.schema.observation import Observation, Split
from relief.schema.training import TrainingMoment
from relief.splitters.connected import ConnectedSplitter
from tests.label_runs import label_bytes, run_label

HERE = "tests.test_confidence"
SPLIT = ("--model.init_args.splitter", f"{HERE}.SureOfTheLeft")
AREA = ("--model.init_args.splitter.init_args.min_area_px", "4")


class SureOfTheLeft(ConnectedSplitter):
    """Sees features and image too, since it asks for them."""

    needs = frozenset({"features", "image"})
    gives_confidence = True

    def split(self, observation: Observation) -> Split:
        observation.require(self.needs, "SureOfTheLeft")
        confidence = torch.full(observation.semantic.shape, 0.2)
        confidence[..., : confidence.shape[-1] // 2] = 1.0
        return Split(super().split(observation).instance, confidence)


class WeighedLoss(nn.Module):
    def forward(self, batch):
        each = (batch["image"].mean(dim=1) - 0.5).square()
        return {"loss": (each * batch["confidence"]).sum() / batch["confidence"].sum()}


@pytest.fixture
def labels(tiny_cityscapes, tmp_path):
    out = tmp_path / "out"
    assert run_label(tiny_cityscapes, out, *SPLIT, *AREA, "--data.init_args.split", "train") == 0
    return out


def test_confidence_lies_in_the_store_and_in_the_manifest_by_the_part_that_made_it(labels):
    store = LabelStore(labels)
    assert json.loads((labels / "manifest.json").read_text())["confidence"].endswith("OfTheLeft")
    for key in store.keys:
        confidence = store.confidence(key)
        assert confidence.shape == store.semantic(key).shape
        half = confidence.shape[1] // 2
        assert confidence[:, :half].unique().tolist() == [1.0]
        assert confidence[:, half:].unique().tolist() == pytest.approx([0.2])


def test_a_missing_confidence_is_made_again_to_the_same_bytes(labels, tiny_cityscapes):
    before = label_bytes(labels)
    path = confidence_path(labels, LabelStore(labels).keys[1])
    content = path.read_bytes()
    path.unlink()
    options = (*SPLIT, *AREA, "--data.init_args.split", "train")
    assert run_label(tiny_cityscapes, labels, *options) == 0
    assert path.read_bytes() == content
    assert label_bytes(labels) == before


def test_confidence_moves_with_its_image_to_a_loss_that_uses_it(labels, tiny_cityscapes):
    data = PseudoLabels(str(tiny_cityscapes), LabelStore(labels), size=(32, 64), num_workers=0)
    data.setup("fit")
    samples = [data.training_set()[index] for index in range(2)]
    assert samples[0]["confidence"].dtype == torch.uint8
    batch = data.on_after_batch_transfer(data.join_samples(samples), 0)
    assert batch["confidence"].dtype == torch.float32
    mirrored = FlipAndCrop((32, 64), area=(1.0, 1.0), flip_probability=1.0)(
        batch, TrainingMoment(step=0, predict=lambda image: None)
    )
    torch.testing.assert_close(mirrored["confidence"], batch["confidence"].flip(-1))
    plain, moved = WeighedLoss()(batch)["loss"], WeighedLoss()(mirrored)["loss"]
    torch.testing.assert_close(plain, moved, atol=1e-4, rtol=0)
    del batch["confidence"]
    with pytest.raises(KeyError):
        WeighedLoss()(batch)


def test_labels_that_say_nothing_give_no_confidence(tiny_cityscapes, tmp_path):
    out = tmp_path / "plain"
    assert run_label(tiny_cityscapes, out, "--data.init_args.split", "train") == 0
    store = LabelStore(out)
    assert store.manifest.confidence is None
    assert store.confidence(store.keys[0]) is None
    assert not (out / "confidence").exists()
    data = PseudoLabels(str(tiny_cityscapes), store, size=(32, 64), num_workers=0)
    data.setup("fit")
    assert "confidence" not in data.join_samples([data.training_set()[0]])
