"""Images as people have them in Python: folders, files, arrays, tensors, pictures."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from relief.formats.images import as_tensor, find_images, read_image
from relief.formats.reader import writable_key
from relief.schema.errors import UsageError


@dataclass(frozen=True)
class GivenImage:
    """One image that somebody gave.

    Attributes:
        key: Its name, no other image's.
        file_name: Of the photograph, or `KEY.png`.
        read: Gives (3, H, W) uint8 RGB; raises `ReadError`.
    """

    key: str
    file_name: str
    read: Callable[[], Tensor]


def given_images(images: Any) -> list[GivenImage]:
    """Returns the images of whatever was given, sorted by key.

    Args:
        images: A folder, a file or a pattern such as `photos/*.jpg`; a PIL picture; a NumPy array
            (H, W, 3), (H, W) or (B, H, W, 3); a tensor (3, H, W) or (B, 3, H, W); arrays and
            tensors are uint8, or floating in [0, 1]. Or several of these, in a sequence, or in a
            mapping by key. Files of one folder have keys as in `label.py`; what has no name is
            `image_0000`, `image_0001`, ...

    Raises:
        UsageError: There is none, two have one key, or something is no image.
    """
    if isinstance(images, Mapping):
        named = [(str(key), "", _reader(image)) for key, image in images.items()]
    else:
        several = isinstance(images, Sequence) and not isinstance(images, str)
        parts = images if several else [images]
        named = [one for part in parts for one in _named(part)]
    found = [
        GivenImage(writable_key(key), file_name or f"{key}.png", read)
        for key, file_name, read in _numbered(named)
    ]
    keys = [image.key for image in found]
    if not keys:
        raise UsageError("no images: an empty sequence was given. Give at least one.")
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        msg = f"two images have the key {twice}. Give a mapping, or their folder."
        raise UsageError(msg)
    return sorted(found, key=lambda image: image.key)


_Named = tuple[str, str, Callable[[], Tensor]]


def _numbered(named: Sequence[_Named]) -> Iterator[_Named]:
    number = 0
    for key, file_name, read in named:
        yield key or f"image_{number:04d}", file_name, read
        number += not key


def _named(image: Any) -> Iterator[_Named]:
    """Key, file name and reader of all that one argument stands for; no key where it has none."""
    if isinstance(image, str | os.PathLike):
        yield from _files(Path(image))
    elif getattr(image, "ndim", 0) == 4:
        yield from (("", "", _reader(one)) for one in image)
    else:
        yield "", "", _reader(image)


def _files(path: Path) -> Iterator[_Named]:
    if path.is_dir():
        for key, file in find_images(path, "images").items():
            yield key, file.relative_to(path).as_posix(), partial(read_image, file)
        return
    for file in matching_paths(str(path)):
        yield file.stem, file.name, partial(read_image, file)


def matching_paths(text: str) -> list[Path]:
    """Returns the file or folder of a name, or all that a pattern such as `drive/*.jpg` means.

    Raises:
        UsageError: There is none.
    """
    path = Path(text)
    found = [path] if path.exists() else sorted(map(Path, glob.glob(text)))  # noqa: PTH207
    if not found:
        msg = f"nothing there: {text}. Give a folder, a file, or a pattern such as drive/*.jpg."
        raise UsageError(msg)
    return found


def _reader(image: Any) -> Callable[[], Tensor]:
    if isinstance(image, str | os.PathLike):
        return partial(read_image, Path(image))
    pixels = pixels_of(image)
    return lambda: pixels


def pixels_of(image: Any) -> Tensor:
    """Returns a picture, an array or a tensor as (3, H, W) uint8 RGB.

    Raises:
        UsageError: It is none of them, or has another shape, type or range.
    """
    if isinstance(image, Image.Image):
        return as_tensor(image)
    if isinstance(image, Tensor):
        pixels = image.detach().cpu()
    elif isinstance(image, np.ndarray):
        pixels = torch.from_numpy(np.array(image))  # a copy
        gray = pixels.ndim == 2
        pixels = pixels.expand(3, *pixels.shape) if gray else pixels.movedim(-1, 0)
    else:
        msg = f"no image: {type(image).__name__}. Give a path, a picture, an array or a tensor."
        raise UsageError(msg)
    if pixels.ndim != 3 or pixels.shape[0] != 3 or 0 in pixels.shape:
        order = "(3, H, W)" if isinstance(image, Tensor) else "(H, W, 3) or (H, W)"
        msg = f"expected an image {order}, got {tuple(image.shape)}. Convert it to RGB."
        raise UsageError(msg)
    if pixels.is_floating_point():
        least, largest = pixels.min().item(), pixels.max().item()
        if not (least >= 0 and largest <= 1):  # NaN is neither
            msg = f"expected floating values in [0, 1], got {least:g} to {largest:g}. Divide them."
            raise UsageError(msg)
        pixels = (pixels * 255).round().to(torch.uint8)
    if pixels.dtype != torch.uint8:
        msg = f"expected uint8, or floating values in [0, 1]: got {pixels.dtype}. Convert it."
        raise UsageError(msg)
    return pixels.contiguous()
