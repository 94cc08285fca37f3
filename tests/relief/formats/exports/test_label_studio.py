import json
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from relief.formats.exports.label_studio import LabelStudio
from relief.ops.objects.instance_masks import decoded
from relief.ops.objects.mask_polygons import polygon_mask
from tests.relief.formats.exports.drawn import KEYS, SCORES, SIZE, draw_labels, panoptic_of


def test_tasks_hold_labels_as_predictions(tmp_path):
    LabelStudio("http://x/", tolerance_px=0).write(tmp_path, draw_labels(tmp_path))
    tasks = json.loads((tmp_path / "tasks.json").read_text())
    assert [task["data"]["key"] for task in tasks] == list(KEYS)
    assert tasks[0]["data"]["image"] == "http://x/a/one.jpg"
    assert (tmp_path / "images" / "a" / "one.jpg").is_file()
    for key, task in zip(KEYS, tasks, strict=True):
        results = task["predictions"][0]["result"]
        assert len({result["id"] for result in results}) == len(results) == 4
        for result, (pair, score) in zip(results[2:], SCORES.items(), strict=True):
            assert (result["original_height"], result["original_width"]) == SIZE
            assert result["score"] == pytest.approx(score, abs=0.002)
            assert result["value"]["polygonlabels"] == [f"cluster {pair[0]}"]
            points = np.array(result["value"]["points"]) * SIZE[::-1] / 100
            expected = (panoptic_of(key) == torch.tensor(pair)).all(-1).numpy()
            assert np.array_equal(decoded(polygon_mask([points], SIZE)), expected)


def test_the_interface_names_every_label_and_its_objects(tmp_path):
    LabelStudio(stuff=False).write(tmp_path, draw_labels(tmp_path))
    view = ElementTree.parse(tmp_path / "interface.xml").getroot()
    assert [one.get("value") for one in view.iter("Label")] == ["cluster 1", "cluster 2"]
    assert view.find("PolygonLabels").get("toName") == view.find("Image").get("name")
    assert view.find("Image").get("value") == "$image"


def test_no_images_are_no_tasks(tmp_path):
    LabelStudio().write(tmp_path, draw_labels(tmp_path, keys=()))
    assert json.loads((tmp_path / "tasks.json").read_text()) == []
