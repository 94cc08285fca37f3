import numpy as np
import pytest
from PIL import Image

from relief.predictions.clips import clips_of
from relief.schema.errors import UsageError
from tests.relief.formats.test_video import write


@pytest.fixture
def folder(tmp_path):
    for name in ("b.png", "a.png"):
        Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(tmp_path / name)
    write(tmp_path / "drive.mp4", [0, 90, 180])
    return tmp_path


def test_images_are_one_clip_and_each_video_is_one(folder):
    images, video = clips_of([str(folder), str(folder / "*.mp4")], every=2)
    assert [(frame.key, frame.file_name) for frame in images.frames] == [
        ("a", "a.png"),
        ("b", "b.png"),
    ]
    assert (images.name, images.count, video.name, video.count, video.fps) == ("", 2, "drive", 2, 5)
    frames = [(frame.key, frame.read()) for frame in video.frames]
    assert [key for key, _ in frames] == ["drive/000000", "drive/000002"]
    assert abs(frames[1][1][0].float().mean() - 180) < 12


def test_patterns_are_sorted_out(folder):
    assert [clip.name for clip in clips_of([str(folder / "*")])] == ["", "drive"]


@pytest.mark.parametrize("inputs", [["nowhere/*.jpg"], ["drive.mp4", "other/drive.mp4"]])
def test_what_cannot_be_named_apart_or_found_is_refused(folder, inputs, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "other").mkdir()
    write(folder / "other" / "drive.mp4", [0])
    with pytest.raises(UsageError, match=r"nothing there|two videos are called drive"):
        clips_of(inputs)
