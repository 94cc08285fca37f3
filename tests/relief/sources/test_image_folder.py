import cv2
import numpy as np
import pytest

from relief.schema.errors import ReadError, UsageError
from relief.schema.sources import ImageSource, keys_with_target
from relief.sources.image_folder import ImageFolderSource


def test_photographs_without_ground_truth(tmp_path):
    (tmp_path / "trip").mkdir()
    for name in ("b.jpg", "trip/a.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((2, 3, 3), np.uint8))
    source = ImageFolderSource(str(tmp_path))
    assert isinstance(source, ImageSource)
    assert source.keys == ["b", "trip/a"]
    assert source.image_path("trip/a") == tmp_path / "trip" / "a.png"
    assert (source.root, source.split, source.label_space.num_classes) == (tmp_path, "", 0)
    assert keys_with_target(source) == []
    with pytest.raises(ReadError, match=r"no ground truth: .* \(b\)\.$"):
        source.target("b")


def test_a_folder_that_is_not_given_or_empty_is_one_line(tmp_path):
    with pytest.raises(UsageError, match=r"data\.root is empty\. Add --data\.init_args\.root DIR"):
        _ = ImageFolderSource().keys
    with pytest.raises(UsageError, match=r"data\.folder="):
        _ = ImageFolderSource(tmp_path, "data.folder").keys
