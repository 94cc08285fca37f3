import json

import numpy as np
import pytest
import torch
from PIL import Image

from relief.formats.coco.instances import CocoInstances
from relief.formats.coco.panoptic_reader import CocoPanoptic
from relief.formats.video import VideoFrames, whole_video
from relief.models.segmenters.checkpoint import read_segmenter
from relief.models.segmenters.prediction.predictor import PanopticPredictor
from relief.predictions.clips import clips_of
from relief.predictions.predict import Prediction, Predictor
from relief.schema.errors import UsageError
from relief.schema.training import Detections, SegmenterPrediction

CLASSES = {"things": (3, 1), "stuff": (0, 2, 4)}


class RedBoxes(torch.nn.Module):
    """Sees stuff class 1 everywhere, and an object where an image is red, with score 0.75."""

    def __init__(self, num_things, num_stuff):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(num_things, num_stuff))

    def predict(self, image, size):
        logits = torch.zeros(len(image), self.weight.shape[1] + 1, *size)
        logits[:, 2] = 5
        found = [self.detections(one) for one in image]
        return SegmenterPrediction(semantic_logits=logits, detections=found)

    @staticmethod
    def detections(image):
        mask = (image[0] > 0.5) & (image[1] < 0.5)
        number = int(bool(mask.any()))
        return Detections(
            masks=mask[None][:number], boxes=torch.zeros(number, 4),
            classes=torch.zeros(number, dtype=torch.int64), scores=torch.full((number,), 0.75),
        )  # fmt: skip


def picture(left):
    pixels = np.full((32, 64, 3), 40, dtype=np.uint8)
    pixels[8:24, left : left + 16] = (230, 10, 10)
    return pixels


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "last.ckpt"
    content = {
        "state_dict": {"network.weight": torch.zeros(2, 3)}, "classes": CLASSES,
        "label_classes": None, "supervision": ["labels: drawn"], "notes": [],
        "network": {"class_path": f"{__name__}.RedBoxes"},
    }  # fmt: skip
    torch.save(content, path)
    return path


@pytest.fixture
def inputs(tmp_path):
    folder = tmp_path / "photographs"
    folder.mkdir()
    Image.fromarray(picture(3)).save(folder / "b.png")
    Image.fromarray(picture(20)).save(folder / "a.png")
    (folder / "broken.png").write_bytes(b"nothing")
    with whole_video(folder / "drive.mp4", 8) as add:
        for left in (0, 4, 8, 12):
            add(picture(left))
    return folder


def predictor(checkpoint, out, **options):
    how = PanopticPredictor(stuff_area_px=0)
    return Predictor(read_segmenter(checkpoint), how, out, torch.device("cpu"), **options)


def test_images_and_videos_are_predicted_and_what_is_broken_is_named(checkpoint, inputs, tmp_path):
    out = tmp_path / "out"
    made = predictor(checkpoint, out, carry_ids=True)
    made.claim(overwrite=False)
    outcome = made.run(clips_of([str(inputs), str(inputs / "drive.mp4")]))
    assert outcome.images == 6
    assert [failure["key"] for failure in outcome.failures] == ["broken"]
    frames = [f"drive/{number:06d}" for number in range(4)]

    labels = CocoPanoptic(out / "panoptic.json", out / "panoptic")
    assert labels.keys == ["a", "b", *frames]
    panoptic = labels.panoptic("a")
    assert (panoptic[10, 25].tolist(), panoptic[0, 0].tolist()) == ([3, 1], [2, 0])
    segments = [
        segment
        for image in json.loads((out / "panoptic.json").read_text())["annotations"]
        for segment in image["segments_info"]
    ]
    assert {s["score"] for s in segments if s["category_id"] == 3} == {0.75}
    assert all(s["score"] > 0.9 for s in segments if s["category_id"] == 2)

    content = json.loads((out / "instances.json").read_text())
    assert content["info"] == {"supervision": ["labels: drawn"]}
    assert [one["file_name"] for one in content["images"][:2]] == ["a.png", "b.png"]
    of_video = [one for one in content["annotations"] if one["image_id"] > 2]
    assert [one["track_id"] for one in of_video] == [1, 1, 1, 1]
    instances = CocoInstances(out / "instances.json").instances("a")
    assert (instances.area_px.tolist(), instances.scores.tolist()) == ([256.0], [0.75])

    assert sorted(p.name for p in (out / "overlays").iterdir()) == ["a.jpg", "b.jpg", "drive.mp4"]
    video = VideoFrames(out / "overlays" / "drive.mp4")
    assert [pixels.shape for _, pixels in video] == [(3, 32, 64)] * 4
    assert video.fps == 8
    told = json.loads((out / "prediction.json").read_text())
    assert (told["images"], list(told["failures"])) == (6, ["broken"])
    assert told["supervision"] == ["labels: drawn"]


def test_without_carried_numbers_and_pictures_there_are_none(checkpoint, inputs, tmp_path):
    made = predictor(checkpoint, tmp_path / "out", overlays=False)
    made.run(clips_of([str(inputs / "a.png")]))
    assert not (tmp_path / "out" / "overlays").exists()
    content = json.loads((tmp_path / "out" / "instances.json").read_text())
    assert "track_id" not in content["annotations"][0]


def test_a_folder_in_use_is_kept_unless_told_otherwise(checkpoint, inputs, tmp_path):
    made = predictor(checkpoint, tmp_path / "out")
    made.claim(overwrite=False)
    made.run(clips_of([str(inputs / "a.png")]))
    again = predictor(checkpoint, tmp_path / "out")
    with pytest.raises(UsageError, match="in use"):
        again.claim(overwrite=False)
    again.claim(overwrite=True)
    again.run(clips_of([str(inputs / "b.png")]))
    assert [p.name for p in (tmp_path / "out" / "panoptic").iterdir()] == ["b.png"]


def test_speed_is_told():
    told = Prediction(images=8, seconds=4.0, network_seconds=2.0).speed
    assert told == "8 images in 4.0 s: 2.00 images/s (the network alone 4.00)"
