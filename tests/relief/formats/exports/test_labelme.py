import json

import numpy as np
import pytest
import torch
from PIL import Image

from relief.formats.exports.labelme import LabelMe
from relief.ops.objects.instance_masks import decoded
from relief.ops.objects.mask_polygons import polygon_mask
from tests.relief.formats.exports.drawn import KEYS, SCORES, SIZE, draw_labels, panoptic_of


def test_a_file_beside_each_photograph_holds_its_regions(tmp_path):
    LabelMe(tolerance_px=0).write(tmp_path / "m", draw_labels(tmp_path))
    for key in KEYS:
        content = json.loads((tmp_path / "m" / f"{key}.json").read_text())
        photograph = (tmp_path / "m" / key).parent / content["imagePath"]
        assert Image.open(photograph).size == (content["imageWidth"], content["imageHeight"])
        shapes = content["shapes"]
        assert {shape["shape_type"] for shape in shapes} == {"polygon"}
        stuff = [shape["label"] for shape in shapes if shape["group_id"] is None]
        assert stuff == ["cluster 0", "cluster 0", "cluster 3"]  # what a hole shows is a part
        for number, (pair, score) in enumerate(SCORES.items(), start=1):
            parts = [shape for shape in shapes if shape["group_id"] == number]
            assert len(parts) == 3 - number
            assert {shape["label"] for shape in parts} == {f"cluster {pair[0]}"}
            assert parts[0]["score"] == pytest.approx(score, abs=0.002)
            mask = polygon_mask([np.array(part["points"]) for part in parts], SIZE)
            expected = (panoptic_of(key) == torch.tensor(pair)).all(-1).numpy()
            assert np.array_equal(decoded(mask), expected)
        assert content["supervision"] == ["features taught by labels"]


def test_stuff_can_be_left_out(tmp_path):
    LabelMe(stuff=False).write(tmp_path / "m", draw_labels(tmp_path))
    shapes = json.loads((tmp_path / "m" / "two.json").read_text())["shapes"]
    assert [shape["group_id"] for shape in shapes] == [1, 1, 2]
