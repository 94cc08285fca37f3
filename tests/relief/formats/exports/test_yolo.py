import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from relief.formats.exports.yolo import YoloSegmentation
from tests.relief.formats.exports.drawn import KEYS, SCORES, SIZE, draw_labels, panoptic_of


def inside(corners):
    """Tells of every pixel whether its centre lies in a polygon, by the even-odd rule."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    odd = np.zeros(SIZE, bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 != y1:
            odd ^= ((y0 > y) != (y1 > y)) & (x < x0 + (x1 - x0) * (y - y0) / (y1 - y0))
    return odd


def objects_of(text, columns=0):
    for line in text.splitlines():
        number, *values = line.split()
        end = len(values) - columns
        shares = np.array(values[:end], float).reshape(-1, 2)
        yield int(number), inside(shares * SIZE[::-1]), [float(value) for value in values[end:]]


def test_polygons_are_the_objects(tmp_path):
    YoloSegmentation(tolerance_px=0).write(tmp_path, draw_labels(tmp_path))
    for key in KEYS:
        objects = list(objects_of((tmp_path / "labels" / "val" / f"{key}.txt").read_text()))
        assert [number for number, _, _ in objects] == [0, 1]
        for (_, mask, _), pair in zip(objects, SCORES, strict=True):
            expected = (panoptic_of(key) == torch.tensor(pair)).all(-1).numpy()
            assert np.array_equal(mask, expected)


def test_photographs_and_names_lie_where_trainings_look(tmp_path):
    exported = draw_labels(tmp_path)
    YoloSegmentation().write(tmp_path, exported)
    assert Image.open(tmp_path / "images" / "val" / "a" / "one.jpg").size == SIZE[::-1]
    content = yaml.safe_load((tmp_path / "data.yaml").read_text())
    assert content["names"] == {0: "cluster 1", 1: "cluster 2"}
    assert content["train"] == content["val"] == "images/val"
    assert content["supervision"] == ["features taught by labels"]
    object.__setattr__(exported, "split", "train")
    YoloSegmentation().write(tmp_path, exported)
    content = yaml.safe_load((tmp_path / "data.yaml").read_text())
    assert (content["train"], content["val"]) == ("images/train", "images/val")


def test_scores_stand_at_the_end_of_a_line_where_asked(tmp_path):
    YoloSegmentation(with_scores=True).write(tmp_path, draw_labels(tmp_path))
    found = objects_of((tmp_path / "labels" / "val" / "two.txt").read_text(), columns=1)
    scores = [score for _, _, (score,) in found]
    assert scores == pytest.approx(list(SCORES.values()), abs=0.002)
