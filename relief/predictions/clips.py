"""Images and videos as clips: frames that follow each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from relief.formats import video
from relief.formats.reader import writable_key
from relief.notebooks.given_images import GivenImage, given_images, matching_paths
from relief.schema.errors import UsageError


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
    frames: Iterable[GivenImage]
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
    files = [file for text in inputs for file in matching_paths(text)]
    videos = [file for file in files if file.suffix.lower() in video.SUFFIXES]
    images = [file for file in files if file not in videos]
    clips = [_of_images(given_images([str(file) for file in images]))] if images else []
    clips += [_of_video(file, every) for file in videos]
    names = [clip.name for clip in clips]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"two videos are called {twice}. Predict them into folders of their own.")
    return clips


def _of_images(images: Sequence[GivenImage]) -> Clip:
    return Clip("", images, len(images))


def _of_video(file: Path, every: int) -> Clip:
    frames, name = video.VideoFrames(file, every), writable_key(file.stem)
    return Clip(name, _Numbered(name, frames), len(frames), frames.fps)


@dataclass(frozen=True)
class _Numbered:
    name: str
    frames: video.VideoFrames

    def __iter__(self) -> Iterator[GivenImage]:
        for number, pixels in self.frames:
            key = f"{self.name}/{number:06d}"
            yield GivenImage(key, f"{key}.png", lambda pixels=pixels: pixels)  # type: ignore[misc]
