from __future__ import annotations

import json

import pytest

from relief.formats.depth_record import read_depth_record, write_depth_record
from relief.schema.errors import UsageError

RECORD = {
    "part": "a.B",
    "input_size": [320, 1024],
    "weights": {"encoder": "ab12"},
    "supervision": ["ImageNet labels"],
    "notes": [],
}


def test_reads_back_what_was_written(tmp_path):
    write_depth_record(tmp_path, RECORD)
    assert read_depth_record(tmp_path) == RECORD


def test_no_record_and_files_of_others_are_none(tmp_path):
    assert read_depth_record(tmp_path) is None
    for text in ("[1]", '{"camera": "left"}'):
        (tmp_path / "depth.json").write_text(text)
        assert read_depth_record(tmp_path) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"part": ',
        "[" * 100_000,
        json.dumps({**RECORD, "weights": ["ab12"]}),
        json.dumps({**RECORD, "weights": {"encoder": 3}}),
        json.dumps({**RECORD, "supervision": "labels"}),
        json.dumps({**RECORD, "notes": [None]}),
    ],
)
def test_damaged_records_are_refused_in_a_line(tmp_path, text):
    (tmp_path / "depth.json").write_text(text)
    with pytest.raises(
        UsageError, match=r"cannot read what made the depth: .*depth\.json"
    ) as caught:
        read_depth_record(tmp_path)
    assert "\n" not in str(caught.value)
