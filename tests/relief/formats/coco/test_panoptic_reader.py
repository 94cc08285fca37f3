from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from relief.formats.coco.panoptic_reader import CocoPanoptic
from relief.formats.segment_ids import write_segment_ids
from relief.schema.errors import ReadError, UsageError
from relief.schema.label_spaces import CITYSCAPES_19


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


def write(folder: Path, name: str, *, names: tuple[str, ...] = ("road", "car"), **changes) -> Path:
    """One image of two segments as some tool calls it; `changes` replace parts of the JSON."""
    write_segment_ids(folder / f"panoptic/{name}.png", np.array([[7, 26]], dtype=np.uint32))
    segments = [{"id": 7, "category_id": 7}, {"id": 26, "category_id": 26}]
    content = {
        "images": [{"id": 1, "file_name": "x.jpg"}],
        "annotations": [{"image_id": 1, "file_name": f"{name}.png", "segments_info": segments}],
        "categories": [
            {"id": number, "name": name, "isthing": int(number == 26)}
            for number, name in zip((7, 26), names, strict=True)
        ],
    } | changes
    path = folder / "panoptic.json"
    path.write_text("\ufeff" + json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "name",
    [
        "aachen/aachen_000000_000019",
        "aachen_000000_000019",
        "aachen_000000_000019_gtFine_panoptic",
        "aachen_000000_000019_leftImg8bit",
    ],
)
def test_names_of_others_give_the_keys_of_a_cityscapes_tree(tmp_path: Path, name: str) -> None:
    read = CocoPanoptic(write(tmp_path, name))
    assert read.keys == ["aachen/aachen_000000_000019"]
    assert read.panoptic(read.keys[0]).tolist() == [[[7, 0], [26, 1]]]


def test_categories_with_names_of_classes_become_class_ids(tmp_path: Path) -> None:
    read = CocoPanoptic(write(tmp_path, "a"), space=CITYSCAPES_19)
    assert read.are_classes
    assert (read.num_categories, read.thing_ids) == (19, CITYSCAPES_19.things)
    assert read.panoptic("a").tolist() == [[[0, 0], [13, 1]]]
    other = CocoPanoptic(write(tmp_path, "a", names=("road", "cart")), space=CITYSCAPES_19)
    assert not other.are_classes
    assert other.panoptic("a").tolist() == [[[7, 0], [26, 1]]]


def test_what_is_a_thing_may_be_unsaid_and_categories_unlisted(tmp_path: Path) -> None:
    for categories in ([{"id": 7, "name": "a"}, {"id": 26, "name": "b"}], []):
        read = CocoPanoptic(write(tmp_path, "a", categories=categories))
        assert read.thing_ids is None
        assert read.num_categories == 27
        assert read.panoptic("a").tolist() == [[[7, 1], [26, 2]]]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"annotations": [{"image_id": 1, "bbox": [0, 0, 1, 1]}]}, "annotations of objects"),
        ({"annotations": [{"file_name": "a.png"}]}, "without segments_info"),
        ({"categories": [{"id": 7, "name": "a"}]}, "category 26 is used and not listed"),
        ({"categories": [{"id": None}]}, "categories without a whole number"),
        ({"categories": 3}, "no annotations and categories"),
        ({"categories": [{"id": 2**40}]}, "categories without a whole number"),
        ({"categories": [{"id": float("inf")}]}, "categories without a whole number"),
        ({"images": [{"id": 1}]}, "images without id and file_name"),
        ({"annotations": [{"file_name": "../a.png", "segments_info": []}]}, "below one folder"),
        ({"annotations": [{"file_name": "", "segments_info": []}]}, "below one folder"),
        ({"annotations": [{"file_name": "a.png", "segments_info": []}] * 2}, "two annotations of"),
        (
            {"annotations": [{"file_name": "a.png", "segments_info": [{"id": 1.5}]}]},
            "segments without whole numbers",
        ),
    ],
)
def test_what_is_missing_in_a_file_of_others_is_told(tmp_path: Path, changes, problem) -> None:
    with pytest.raises(UsageError, match=rf"panoptic\.json \(.*{problem}.*\)\. Give a panoptic"):
        _ = CocoPanoptic(write(tmp_path, "a", **changes)).keys


@pytest.mark.parametrize("kind", [str, float])
def test_ids_of_others_may_be_text_or_have_a_point(tmp_path: Path, kind: type) -> None:
    segments = [{"id": kind(number), "category_id": kind(number)} for number in (7, 26)]
    changes = {
        "annotations": [{"image_id": "1", "file_name": "a.png", "segments_info": segments}],
        "categories": [{"id": kind(7), "isthing": "0"}, {"id": kind(26), "isthing": "1"}],
        "images": None,
    }
    read = CocoPanoptic(write(tmp_path, "a", **changes))
    assert (read.num_categories, read.thing_ids) == (27, (26,))
    assert read.panoptic("a").tolist() == [[[7, 0], [26, 1]]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_any_unicode_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path, "a")
    path.write_text(path.read_text(encoding="utf-8-sig"), encoding=encoding)
    assert CocoPanoptic(path).keys == ["a"]


def test_segments_of_void_and_files_in_another_unicode_form(tmp_path: Path) -> None:
    segments = [{"id": 0, "category_id": 7}, {"id": 7, "category_id": 7}]
    composed, apart = (unicodedata.normalize(form, "Köln") for form in ("NFC", "NFD"))
    entry = {"file_name": f"{composed}/a.png", "segments_info": segments}
    path = write(tmp_path, "b", annotations=[entry])
    write_segment_ids(tmp_path / f"panoptic/{apart}/a.PNG", np.array([[0, 7]], dtype=np.uint32))
    read = CocoPanoptic(path)
    assert read.panoptic(f"{composed}/a").tolist() == [[[-1, 0], [7, 0]]]
