from __future__ import annotations

import numpy as np
import pytest

from relief.schema.errors import ReadError
from relief.schema.label_spaces import CITYSCAPES_LABELS
from relief.sources.gta5 import Gta5Source
from tests.contracts.source import SourceContract
from tests.png_files import write_png

PALETTE = [label.color for label in CITYSCAPES_LABELS] + [(0, 0, 142)] * 3


def write_frame(root, key, ids):
    ids = np.array(ids, np.uint8)
    write_png(root / "labels" / f"{key}.png", ids, PALETTE)
    write_png(root / "images" / f"{key}.png", np.dstack((ids,) * 3))


@pytest.fixture
def tree(tmp_path):
    write_frame(tmp_path, "00001", [[7, 8, 11, 12, 13, 17], [19, 20, 21, 22, 23, 34]])
    write_frame(tmp_path, "00002", [[24, 25, 26], [27, 28, 31], [32, 33, 0]])  # another size
    return tmp_path


class TestGta5Source(SourceContract):
    @pytest.fixture
    def source(self, tree):
        return Gta5Source(tree)


def test_indices_of_the_palette_are_the_classes(tree):
    source = Gta5Source(tree)
    assert source.keys == ["00001", "00002"]
    assert source.target("00001")[..., 0].tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, -1]]
    second = source.target("00002")
    assert second[..., 0].tolist() == [[11, 12, 13], [14, 15, 16], [17, 18, -1]]
    assert not second[..., 1].any()  # no objects


def test_unknown_ids_are_refused_in_a_line(tree):
    write_frame(tree, "00001", [[7, 35]])
    with pytest.raises(ReadError, match=r"unknown ids: .*00001.png \(35, expected 0 to 34\)"):
        Gta5Source(tree).target("00001")
