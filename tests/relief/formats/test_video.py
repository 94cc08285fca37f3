import numpy as np
import pytest

from relief.formats.video import VideoFrames, whole_video
from relief.schema.errors import UsageError


def write(path, grays, size=(32, 64), fps=10.0):
    with whole_video(path, fps) as add:
        for gray in grays:
            add(np.full((*size, 3), (gray, 0, 0), dtype=np.uint8))


def test_frames_come_back_in_their_order(tmp_path):
    write(tmp_path / "a.mp4", [0, 60, 120, 180, 240])
    frames = VideoFrames(tmp_path / "a.mp4")
    read = list(frames)
    assert (len(frames), frames.fps) == (5, 10)
    assert [number for number, _ in read] == [0, 1, 2, 3, 4]
    assert all(pixels.shape == (3, 32, 64) for _, pixels in read)
    reds = [pixels[0].float().mean().item() for _, pixels in read]
    assert np.allclose(reds, [0, 60, 120, 180, 240], atol=12)
    assert max(pixels[2].float().mean() for _, pixels in read) < 20  # RGB, not BGR


def test_some_frames_only(tmp_path):
    write(tmp_path / "a.mp4", [0] * 5)
    frames = VideoFrames(tmp_path / "a.mp4", every=2)
    assert [number for number, _ in frames] == [0, 2, 4]
    assert (len(frames), frames.fps) == (3, 5)


def test_frames_of_another_size_are_brought_to_the_first(tmp_path):
    with whole_video(tmp_path / "a.mp4", 10) as add:
        add(np.zeros((32, 64, 3), np.uint8))
        add(np.zeros((64, 32, 3), np.uint8))
    assert [pixels.shape for _, pixels in VideoFrames(tmp_path / "a.mp4")] == [(3, 32, 64)] * 2


def test_a_video_that_was_not_finished_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), whole_video(tmp_path / "a.mp4", 10) as add:
        add(np.zeros((32, 64, 3), np.uint8))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_video_is_refused(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"nothing")
    with pytest.raises(UsageError, match="cannot read video"):
        VideoFrames(tmp_path / "a.mp4")
