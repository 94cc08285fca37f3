import numpy as np
import pytest

from relief.sources.penn_fudan import PennFudanSource
from tests.contracts.source import SourceContract
from tests.png_files import write_png


@pytest.fixture
def tree(tmp_path):
    number = np.array([[0, 1, 1], [2, 0, 3]], np.uint8)
    write_png(tmp_path / "PedMasks" / "FudanPed00001_mask.png", number)
    write_png(tmp_path / "PNGImages" / "FudanPed00001.png", np.dstack((number,) * 3))
    return tmp_path


class TestPennFudanSource(SourceContract):
    @pytest.fixture
    def source(self, tree):
        return PennFudanSource(tree)


def test_persons_are_numbered(tree):
    target = PennFudanSource(tree).target("FudanPed00001")
    assert target[..., 0].tolist() == [[0, 1, 1], [1, 0, 1]]
    assert target[..., 1].tolist() == [[0, 1, 1], [2, 0, 3]]
