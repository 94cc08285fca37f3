"""Images and videos as clips: frames that follow each other."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from relief.formats import video
from relief.formats.reader import writable_key
from relief.notebooks.given_images import GivenImage, given_images
from relief.schema.errors import UsageError


@dataclass(frozen=True)
class Frame:
    """One image, or one frame of a video.

    Attributes:
        key: Also the path stem of what is written about it.
        file_name: Of the photograph, or the name of the frame.
        read: Gives (3, H, W) uint8 RGB; raises `ReadError`.
    """

    key: str
    file_name: str
    read: Callable[[], Tensor]


@dataclass(frozen=True)
class Clip:
    """Frames that follow each other: those of a video, or all images.

    Attributes:
        name: Of the video; empty for images.
        frames: In their order.
        count: How many, about.
        fps: Frames per second of a video, else 0.
    """

    name: str
    frames: Iterable[Frame]
    count: int
    fps: float = 0.0


def clips_of(inputs: Sequence[str], every: int = 1) -> list[Clip]:
    """Returns one clip for all images, and one for each video.

    Args:
        inputs: Folders of images, image and video files, patterns such as `drive/*.jpg`.
        every: Of videos, only each so-manieth frame.

    Raises:
        UsageError: Nothing is there, a video cannot be read, or two have one name.
    """
    files = [file for text in inputs for file in _matching(text)]
    videos = [file for file in files if file.suffix.lower() in video.SUFFIXES]
    images = [file for file in files if file not in videos]
    clips = [_of_images(given_images([str(file) for file in images]))] if images else []
    clips += [_of_video(file, every) for file in videos]
    names = [clip.name for clip in clips]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"two videos are called {twice}. Predict them into folders of their own.")
    return clips


def _matching(text: str) -> list[Path]:
    path = Path(text)
    found = [path] if path.exists() else sorted(map(Path, glob.glob(text)))  # noqa: PTH207
    if not found:
        msg = f"nothing there: {text}. Give a folder, a file, or a pattern such as drive/*.jpg."
        raise UsageError(msg)
    return found


def _of_images(images: Sequence[GivenImage]) -> Clip:
    frames = [Frame(image.key, image.file_name, image.read) for image in images]
    return Clip("", frames, len(frames))


def _of_video(file: Path, every: int) -> Clip:
    frames, name = video.VideoFrames(file, every), writable_key(file.stem)
    return Clip(name, _Numbered(name, frames), len(frames), frames.fps)


@dataclass(frozen=True)
class _Numbered:
    name: str
    frames: video.VideoFrames

    def __iter__(self) -> Iterator[Frame]:
        for number, pixels in self.frames:
            key = f"{self.name}/{number:06d}"
            yield Frame(key, f"{key}.png", lambda pixels=pixels: pixels)  # type: ignore[misc]
