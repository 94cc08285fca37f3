import json

import pytest

from relief.formats.coco.json_files import json_pieces, key_of_file_name, whole_number


def test_names_of_cityscapes_scripts_give_the_keys_of_a_tree():
    for ending in ("_gtFine_panoptic.png", "_leftImg8bit.png", ".png", ".jpg"):
        name = f"aachen_000000_000019{ending}"
        assert key_of_file_name(name) == "aachen/aachen_000000_000019"
    assert key_of_file_name("val2017/000000397133.jpg") == "val2017/000000397133"
    for wrong in ("../out.jpg", "/etc/x.jpg", ""):
        with pytest.raises(ValueError, match="expected a key"):
            key_of_file_name(wrong)


def test_whole_numbers_of_other_writers():
    assert (whole_number("7"), whole_number(7.0)) == (7, 7)
    for wrong in (-1, 0.5, 2**16, float("nan")):
        with pytest.raises(ValueError, match=r"expected|convert"):
            whole_number(wrong)


def test_entries_are_written_one_by_one():
    text = "".join(json_pieces({"b": iter([{"y": 1, "x": 2}, {}]), "a": [], "info": {"z": [1]}}))
    assert json.loads(text) == {"b": [{"y": 1, "x": 2}, {}], "a": [], "info": {"z": [1]}}
    assert text.endswith("}\n")
