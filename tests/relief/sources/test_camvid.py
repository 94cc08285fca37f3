import numpy as np
import pytest

from relief.schema.errors import ReadError, UsageError
from relief.sources.camvid import CamVid11Source, CamVid32Source
from tests.contracts.source import SourceContract
from tests.png_files import write_png


def write_11(root, key, ids, split="test"):
    ids = np.array(ids, np.uint8)
    write_png(root / f"{split}annot" / f"{key}.png", ids)
    write_png(root / split / f"{key}.png", np.dstack((ids,) * 3))


def write_32(root, key, colours):
    colours = np.array(colours, np.uint8)
    write_png(root / "LabeledApproved_full" / f"{key}_L.png", colours)
    write_png(root / "701_StillsRaw_full" / f"{key}.png", colours)


class TestCamVid11Source(SourceContract):
    @pytest.fixture
    def source(self, tmp_path):
        write_11(tmp_path, "0001TP_1", [[0, 1, 11], [8, 9, 10]])
        write_11(tmp_path, "0001TP_2", [[3, 4, 11], [8, 9, 10]])
        return CamVid11Source(tmp_path)


class TestCamVid32Source(SourceContract):
    @pytest.fixture
    def source(self, tmp_path):
        write_32(tmp_path, "0001TP_1", [[(64, 128, 64), (0, 0, 0)], [(64, 192, 0), (64, 0, 128)]])
        return CamVid32Source(tmp_path)


def test_ids_of_the_small_edition(tmp_path):
    write_11(tmp_path, "a", [[0, 3, 11], [8, 9, 10]])
    target = CamVid11Source(tmp_path).target("a")
    assert target[..., 0].tolist() == [[0, 3, -1], [8, 9, 10]]
    assert not target[..., 1].any()
    names = CamVid11Source.label_space.names
    assert (names[0], names[3], names[8], names[10]) == ("sky", "road", "car", "bicyclist")
    with pytest.raises(UsageError, match=r"no images found: .*val/\*\.png"):
        _ = CamVid11Source(tmp_path, "val").keys
    write_11(tmp_path, "a", [[12]])
    with pytest.raises(ReadError, match=r"unknown ids: .*a\.png \(12, expected 0 to 11\)"):
        CamVid11Source(tmp_path).target("a")


def test_colours_of_the_whole_edition(tmp_path):
    space = CamVid32Source.label_space
    assert space.num_classes == 31
    assert len(set(space.colors)) == 31
    write_32(tmp_path, "a", [[*space.colors, (0, 0, 0)]])
    source = CamVid32Source(tmp_path)
    assert source.keys == ["a"]
    assert source.target("a")[..., 0].tolist() == [[*range(31), -1]]
    write_32(tmp_path, "a", [[(0, 0, 0), (1, 2, 3)]])
    with pytest.raises(ReadError, match=r"unknown colours: .*a_L\.png \(#010203\)"):
        source.target("a")
