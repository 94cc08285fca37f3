from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from relief.formats.coco_reader import CocoPanoptic
from relief.formats.segment_ids import write_segment_ids
from relief.schema.errors import ReadError, UsageError


def test_ids_of_others_are_numbered_in_order(tmp_path: Path) -> None:
    ids = np.array([[7, 900_000, 12, 0, 55]], dtype=np.uint32)
    write_segment_ids(tmp_path / "panoptic/a.png", ids)
    segments = [
        {"id": 900_000, "category_id": 9},
        {"id": 12, "category_id": 9},
        {"id": 7, "category_id": 2},
        {"id": 55, "category_id": 9, "iscrowd": 1},
    ]
    content = {
        "images": [],
        "annotations": [{"image_id": 1, "file_name": "a.png", "segments_info": segments}],
        "categories": [{"id": 2, "isthing": 0}, {"id": 9, "isthing": 1}],
    }
    (tmp_path / "panoptic.json").write_text(json.dumps(content))
    read = CocoPanoptic(tmp_path / "panoptic.json")
    assert read.num_categories == 10
    assert read.panoptic("a").tolist() == [[[2, 0], [9, 2], [9, 1], [-1, 0], [9, 0]]]
    segments.pop(0)
    (tmp_path / "panoptic.json").write_text(json.dumps(content))
    with pytest.raises(ReadError, match=r"segment 900000 is not in panoptic.json"):
        CocoPanoptic(tmp_path / "panoptic.json").panoptic("a")


def test_other_json_is_one_line(tmp_path: Path) -> None:
    for text in ("", "[]", '{"annotations": []}'):
        (tmp_path / "panoptic.json").write_text(text)
        with pytest.raises(UsageError, match="cannot read COCO panoptic labels"):
            _ = CocoPanoptic(tmp_path / "panoptic.json").keys
