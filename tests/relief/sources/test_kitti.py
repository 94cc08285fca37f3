import numpy as np
import pytest

from relief.schema.sources import keys_with_target
from relief.sources.kitti import KittiSource
from tests.contracts.source import SourceContract
from tests.png_files import write_png

IDS = np.array([[7, 23, 26, 26], [26, 24, 0, 9]], np.uint16)
OBJECTS = np.array([[0, 0, 1, 2], [0, 7, 0, 0]], np.uint16)


def write_frame(root, key, split="training"):
    write_png(root / split / "image_2" / f"{key}.png", np.dstack((IDS.astype(np.uint8),) * 3))
    write_png(root / split / "instance" / f"{key}.png", IDS * 256 + OBJECTS)
    write_png(root / split / "semantic" / f"{key}.png", IDS.astype(np.uint8))


class TestKittiSource(SourceContract):
    @pytest.fixture
    def source(self, tmp_path):
        write_frame(tmp_path, "000000_10")
        write_frame(tmp_path, "000001_10")
        return KittiSource(tmp_path)


def test_classes_and_objects_are_in_one_file(tmp_path):
    write_frame(tmp_path, "000000_10")
    target = KittiSource(tmp_path).target("000000_10")
    assert target[..., 0].tolist() == [[0, 10, 13, 13], [13, 11, -1, -1]]
    assert target[..., 1].tolist() == [[0, 0, 1, 2], [0, 7, 0, 0]]
    regions = KittiSource(tmp_path, has_objects=False).target("000000_10")
    assert regions[..., 0].tolist() == target[..., 0].tolist()
    assert not regions[..., 1].any()


def test_the_split_without_labels_has_photographs_all_the_same(tmp_path):
    write_png(tmp_path / "testing/image_2/000000_10.png", np.zeros((2, 2, 3), np.uint8))
    source = KittiSource(tmp_path, "testing")
    assert source.keys == ["000000_10"]
    assert keys_with_target(source) == []
