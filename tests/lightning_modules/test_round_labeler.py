import pytest
import torch

from lightning_modules.round_labeler import RoundLabeler
from relief.formats.label_store import (
    write_confidence,
    write_manifest,
    write_panoptic,
    write_semantic,
)
from relief.models.segmenters.prediction.predictor import PanopticPredictor
from relief.schema.manifest import Manifest, ManifestInputs
from relief.schema.training import Detections, SegmenterPrediction


class Finder(torch.nn.Module):
    """Finds the left half for sure, the right half less so, and a strip of the left one."""

    def __init__(self, num_things, num_stuff):
        super().__init__()
        assert (num_things, num_stuff) == (1, 0)
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def predict(self, image, size):
        masks = torch.zeros(3, *size, dtype=torch.bool)
        masks[0, :, : size[1] // 2] = True
        masks[1, :2, : size[1] // 2] = True
        masks[2, :, size[1] // 2 :] = True
        found = Detections(
            masks=masks, boxes=torch.zeros(3, 4), classes=torch.zeros(3, dtype=torch.int64),
            scores=torch.tensor([0.9, 0.8, 0.5]),
        )  # fmt: skip
        return SegmenterPrediction(
            semantic_logits=torch.zeros(len(image), 1, *size), detections=[found] * len(image)
        )


@pytest.fixture
def labeler(tmp_path):
    content = {
        "state_dict": {"network.weight": torch.ones(1)}, "evaluation": {},
        "classes": {"things": (0,), "stuff": ()}, "label_classes": None, "supervision": ["a"],
    }  # fmt: skip
    torch.save(content, tmp_path / "last.ckpt")
    store = tmp_path / "labels"
    manifest = Manifest(
        k=1, thing_ids=(0,), groups=(0,), images={"x": "labelled"}, confidence="b.C",
        supervision=("of the round before",),
    )  # fmt: skip
    write_manifest(store, manifest)
    instance = torch.zeros(4, 8, dtype=torch.int64)
    instance[:, :4], instance[2:, 5:] = 1, 2  # the left half again, and a corner at the right
    semantic = torch.where(instance > 0, 0, -1)
    write_semantic(store, "x", semantic, 1)
    write_panoptic(store, "x", torch.stack((semantic, instance), -1), torch.tensor([True]))
    write_confidence(store, "x", torch.where(instance == 2, 0.4, 1.0))
    (store / "panoptic.json").write_text("{}")
    made = RoundLabeler(
        parent=store, keep_score=0.7, checkpoint=tmp_path / "last.ckpt", network=Finder,
        predictor=PanopticPredictor(),
    )  # fmt: skip
    made.load_weights()
    return made


def test_sure_objects_and_the_old_ones_that_they_do_not_repeat(labeler):
    prediction = labeler.predict_step({"image": torch.rand(1, 3, 4, 8), "key": ["x"]}, 0)
    assert prediction["failures"] == []
    (record,) = prediction["records"]
    instance = record.panoptic[..., 1]
    assert (instance[:, :4] == 1).all()  # the strip inside has no pixel left
    assert (instance[2:, 5:] == 2).all()  # the right half was not sure enough: the old one stays
    assert (instance > 0).sum() == 16 + 6
    assert record.scores == pytest.approx({1: 0.9, 2: 0.4}, abs=0.01)
    assert torch.allclose(record.confidence[:, :4], torch.tensor(0.9))
    assert (record.confidence[:2, 5:] == 0).all()
    assert torch.equal(record.semantic, torch.where(instance > 0, 0, -1))


def test_the_manifest_names_its_parent(labeler):
    manifest = labeler.manifest(ManifestInputs({}, ["x"]))
    assert {"labels/parent", "network/checkpoint"} == set(manifest.weights)
    assert manifest.supervision == ("a", "of the round before")
    assert manifest.confidence == "lightning_modules.round_labeler.RoundLabeler"


def test_an_image_without_old_labels_fails_alone(labeler):
    prediction = labeler.predict_step({"image": torch.rand(1, 3, 4, 8), "key": ["y"]}, 0)
    assert prediction["records"] == []
    assert prediction["failures"][0]["key"] == "y"
