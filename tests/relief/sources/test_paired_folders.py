from __future__ import annotations

import pytest

from relief.schema.errors import UsageError
from relief.sources.gta5 import Gta5Source
from relief.sources.paired_folders import PairedFolders
from tests.relief.sources.test_gta5 import write_frame


def test_a_missing_label_is_told_before_anything_is_read(tmp_path):
    write_frame(tmp_path, "00001", [[7]])
    write_frame(tmp_path, "00002", [[7]])
    (tmp_path / "labels" / "00002.png").unlink()
    source: PairedFolders = Gta5Source(tmp_path)
    with pytest.raises(
        UsageError, match=r"^1 of 2 images have no labels in .*\(the first is 00002.png\)"
    ):
        _ = source.keys


def test_an_empty_tree_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"^no images found: .*images"):
        _ = Gta5Source(tmp_path).keys
