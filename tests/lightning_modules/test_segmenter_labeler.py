import pytest
import torch

from lightning_modules.segmenter_labeler import SegmenterLabeler
from relief.models.segmenters.prediction.predictor import PanopticPredictor
from relief.schema.errors import WeightsError
from relief.schema.manifest import ManifestInputs
from relief.schema.training import Detections, SegmenterPrediction

CLASSES = {"things": (3, 1), "stuff": (0, 2, 4)}


class Painter(torch.nn.Module):
    """Sees stuff class 1 everywhere, and one object of thing class 0 on the left."""

    def __init__(self, num_things, num_stuff):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(num_things, num_stuff))

    def predict(self, image, size):
        logits = torch.zeros(len(image), self.weight.shape[1] + 1, *size)
        logits[:, 2] = 1
        mask = torch.zeros(1, *size, dtype=torch.bool)
        mask[..., : size[1] // 2] = True
        found = Detections(
            masks=mask, boxes=torch.zeros(1, 4), classes=torch.tensor([0]), scores=torch.ones(1)
        )
        return SegmenterPrediction(semantic_logits=logits, detections=[found] * len(image))


def checkpoint(path, **changes):
    content = {
        "state_dict": {"network.weight": torch.ones(2, 3)}, "classes": CLASSES,
        "label_classes": None, "supervision": [], "evaluation": {"assignment": [1, 2]},
    }  # fmt: skip
    torch.save(content | changes, path)
    return path


def labeler(path, which=None):
    made = SegmenterLabeler(path, Painter, PanopticPredictor(short_side_px=16), which)
    made.load_weights()
    return made


def test_labels_have_the_ids_of_the_labels_it_was_trained_on(tmp_path):
    model = labeler(checkpoint(tmp_path / "last.ckpt"))
    assert torch.equal(model.network.weight, torch.ones(2, 3))
    batch = {"image": torch.rand(2, 3, 32, 64), "key": ["a", "b"]}
    prediction = model.predict_step(batch, 0)
    assert prediction["key"] == ["a", "b"]
    for record in prediction["records"]:
        semantic, panoptic = record.semantic, record.panoptic
        assert panoptic.shape == (32, 64, 2)
        assert (panoptic[:, :32] == torch.tensor([3, 1])).all()
        assert (panoptic[:, 32:] == torch.tensor([2, 0])).all()
        assert torch.equal(semantic, panoptic[..., 0])


def test_the_file_alone_is_enough(tmp_path):
    path = checkpoint(tmp_path / "last.ckpt", network={"class_path": f"{__name__}.Painter"})
    model = SegmenterLabeler(path)
    model.load_weights()
    assert type(model.network) is Painter
    assert torch.equal(model.network.weight, torch.ones(2, 3))


def test_of_a_self_training_the_teacher_labels_unless_told_otherwise(tmp_path):
    state = {"network.weight": torch.ones(2, 3), "teacher.weight": torch.zeros(2, 3)}
    path = checkpoint(tmp_path / "last.ckpt", state_dict=state)
    for which, value in ((None, 0), ("teacher", 0), ("student", 1)):
        assert (labeler(path, which).network.weight == value).all()


def test_the_manifest_names_the_checkpoint_and_its_supervision(tmp_path):
    path = checkpoint(tmp_path / "best.ckpt", selection="val ground truth (val/pq)")
    manifest = labeler(path).manifest(ManifestInputs({}, ["a"]))
    assert (manifest.k, manifest.thing_ids, manifest.groups) == (5, (1, 3), (-1, 1, -1, 0, -1))
    assert manifest.label_space == "clusters"
    assert manifest.supervision == (
        "network: chosen among checkpoints by val ground truth (val/pq)",
    )
    assert len(manifest.weights["network/checkpoint"]) == 64


def test_classes_named_by_ground_truth_stay_named(tmp_path):
    path = checkpoint(
        tmp_path / "last.ckpt",
        label_classes="cityscapes19",
        supervision=["labels: ground truth"],
        notes=["a word on them"],
    )
    manifest = labeler(path).manifest(ManifestInputs({}, ["a"]))
    assert (manifest.label_space, manifest.classes) == ("oracle_classes", "cityscapes19")
    assert manifest.supervision == ("labels: ground truth",)
    assert manifest.notes == ("a word on them",)


def test_wrong_checkpoints_are_told_in_a_line(tmp_path):
    with pytest.raises(WeightsError, match=r"no checkpoint: .*none\.ckpt"):
        labeler(tmp_path / "none.ckpt")
    (tmp_path / "cut.ckpt").write_bytes(checkpoint(tmp_path / "last.ckpt").read_bytes()[:700])
    with pytest.raises(WeightsError, match=r"cannot read checkpoint: .*cut\.ckpt"):
        labeler(tmp_path / "cut.ckpt")
    other = checkpoint(tmp_path / "other.ckpt", state_dict={"network.weight": torch.ones(4, 4)})
    with pytest.raises(WeightsError, match="cannot load weights"):
        labeler(other)


def test_confidence_is_the_score_of_objects_and_the_probability_of_regions(tmp_path):
    path = checkpoint(tmp_path / "last.ckpt")
    model = SegmenterLabeler(
        path, Painter, PanopticPredictor(short_side_px=16), tells_confidence=True
    )
    model.load_weights()
    record = model.label(torch.rand(3, 32, 64), None)
    assert record.scores == {1: 1.0}
    assert (record.confidence[:, :32] == 1).all()
    expected = float(torch.tensor([0.0, 0, 1, 0]).softmax(0)[2])
    assert torch.allclose(record.confidence[:, 32:], torch.tensor(expected))
    assert torch.equal(record.panoptic, labeler(path).label(torch.rand(3, 32, 64), None).panoptic)
    told = model.manifest(ManifestInputs({}, ["a"])).confidence
    assert told == "lightning_modules.segmenter_labeler.SegmenterLabeler"
    assert labeler(path).manifest(ManifestInputs({}, ["a"])).confidence is None
