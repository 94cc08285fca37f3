"""Frames of video files, and videos written frame by frame."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relief.formats.files.atomic import WriteError, check_writable, take_name
from relief.schema.errors import ReadError, UsageError

SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm")
_USUAL_FPS = 25.0


class VideoFrames:
    """The frames of a video, one after the other.

    Args:
        path: The file.
        every: Only each so-manieth frame, the first included.

    Attributes:
        fps: Frames given per second of the video.

    Raises:
        UsageError: The file is no video that OpenCV reads.
    """

    def __init__(self, path: Path, every: int = 1) -> None:
        self.path, self.every = Path(path), every
        capture = cv2.VideoCapture(str(path))
        try:
            if not capture.isOpened():
                msg = f"cannot read video: {path}. Convert it, for instance to .mp4."
                raise UsageError(msg)
            told = float(capture.get(cv2.CAP_PROP_FPS))
            self._count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        finally:
            capture.release()
        self.fps = (told if 0 < told < 1000 else _USUAL_FPS) / every

    def __len__(self) -> int:
        """Returns how many frames the file says that it gives; it may be wrong by some."""
        return max(0, -(-self._count // self.every))

    def __iter__(self) -> Iterator[tuple[int, Tensor]]:
        """Yields the number of each frame in the video, and (3, H, W) uint8 RGB.

        Raises:
            ReadError: There is no frame at all.
        """
        capture, number = cv2.VideoCapture(str(self.path)), 0
        try:
            while capture.grab():
                if number % self.every == 0:
                    is_whole, frame = capture.retrieve()
                    if not is_whole:
                        break
                    pixels = np.ascontiguousarray(frame[..., ::-1])
                    yield number, torch.from_numpy(pixels).permute(2, 0, 1).contiguous()
                number += 1
        finally:
            capture.release()
        if number == 0:
            msg = f"no frame can be read: {self.path}. Convert it, for instance to .mp4."
            raise ReadError(msg)


@contextmanager
def whole_video(path: Path, fps: float) -> Iterator[Callable[[NDArray[np.uint8]], None]]:
    """Yields what adds a frame, (H, W, 3) uint8 RGB, to an MP4 that takes its name at the end.

    Frames of another size than the first are brought to it.

    Raises:
        UsageError: The folder cannot be written.
        WriteError: The video cannot be written.
    """
    check_writable(path.parent)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".video-") as folder:
        part = Path(folder) / "video.mp4"
        writers: list[cv2.VideoWriter] = []
        size: list[tuple[int, int]] = []

        def add(frame: NDArray[np.uint8]) -> None:
            if not writers:
                size.append((frame.shape[1], frame.shape[0]))
                code = cv2.VideoWriter.fourcc(*"mp4v")
                writers.append(cv2.VideoWriter(str(part), code, fps, size[0]))
                if not writers[0].isOpened():
                    raise WriteError(f"cannot write video: {path} (OpenCV has no mp4v).")
            if (frame.shape[1], frame.shape[0]) != size[0]:
                frame = np.asarray(cv2.resize(frame, size[0]), dtype=np.uint8)
            writers[0].write(np.ascontiguousarray(frame[..., ::-1]))

        try:
            yield add
        finally:
            for writer in writers:
                writer.release()
        if writers:
            try:
                take_name(part, path)
            except OSError as error:
                msg = f"cannot write video: {path} ({error.strerror}). Free some space."
                raise WriteError(msg) from error
