import cv2
import numpy as np
import pytest

from relief.sources.ground_truth import GroundTruthLabels
from tests.contracts.reader import ReaderContract


def test_objects_are_numbered_within_the_image(tmp_path):
    folder = tmp_path / "gtFine" / "train" / "a"
    folder.mkdir(parents=True)
    ids = np.array([[26000, 26001, 24000, 24, 7, 0]], dtype=np.uint16)
    cv2.imwrite(str(folder / "a_000000_000019_gtFine_instanceIds.png"), ids)
    image = tmp_path / "leftImg8bit" / "train" / "a" / "a_000000_000019_leftImg8bit.png"
    image.parent.mkdir(parents=True)
    cv2.imwrite(str(image), ids)
    labels = GroundTruthLabels(tmp_path)
    assert labels.keys == ["a/a_000000_000019"]
    panoptic = labels.panoptic("a/a_000000_000019")
    assert panoptic[0, :, 0].tolist() == [13, 13, 11, 11, 0, -1]
    instance = panoptic[0, :, 1]
    assert sorted(instance[:3].tolist()) == [1, 2, 3]
    assert instance[3:].tolist() == [0, 0, 0]
    assert labels.thing_ids == (11, 12, 13, 14, 15, 16, 17, 18)
    assert labels.supervision == ("labels: ground truth of train (cityscapes19)",)


class TestGroundTruthLabels(ReaderContract):
    @pytest.fixture
    def labels(self, tiny_cityscapes):
        return GroundTruthLabels(tiny_cityscapes, "val")
