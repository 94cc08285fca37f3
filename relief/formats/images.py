"""Photographs of any kind as RGB tensors, and any nested folder of them as keys."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps
from torch import Tensor

from relief.formats.files.folders import walk_files
from relief.formats.label_store import CONFIDENCE, MANIFEST, PANOPTIC, SEMANTIC
from relief.formats.reader import printable
from relief.formats.shards.store import SHARDS
from relief.schema.errors import ReadError, UsageError

log = logging.getLogger("relief")
SUFFIXES = (".png", ".jpg", ".jpeg")
MAX_ASPECT = 10.0  # the longer side of an image by its shorter one
_OF_A_RUN = (SEMANTIC, PANOPTIC, CONFIDENCE, SHARDS, "overlays")
_TURNED = (5, 6, 7, 8)  # EXIF orientations whose rows are columns
_SIXTEEN_BIT = ("I;16", "I;16B", "I;16L", "I;16N", "I")


class ImageReadError(ReadError):
    """An image file that cannot be used.

    Attributes:
        path: The file.
        reason: What is wrong with it, a few words.
    """

    def __init__(self, path: Path, reason: str) -> None:
        shown = printable(str(path))
        super().__init__(f"cannot read image: {shown} ({reason}). Replace it or remove it.")
        self.path = path
        self.reason = reason


def read_image(path: Path, least_size: tuple[int, int] | None = None) -> Tensor:
    """Decodes a whole image file as a person would see it.

    The EXIF orientation is applied. Gray is repeated, palettes are looked up, 16-bit values keep
    their high byte (65535 becomes 255), CMYK is converted, and what is transparent is laid on
    black, so that colours hidden under alpha 0 are not seen.

    Args:
        path: The file.
        least_size: (height, width) that is enough: a JPEG at least 2, 4 or 8 times as large in both
            directions is decoded at that fraction, in less time, to pixels that differ slightly
            from those of the whole resized. All other files are decoded as they are.

    Returns:
        (3, H, W) uint8 RGB.

    Raises:
        ImageReadError: The file is missing, truncated, of no known format or not to be decoded,
            or no label can be written under its name.
    """
    path = Path(path)
    if printable(str(path)) != str(path):
        raise ImageReadError(path, "its name is not UTF-8")
    try:
        with Image.open(path) as image:
            if least_size is not None:
                _choose_fraction(image, least_size)
            image.load()  # the whole file: `verify` accepts half a JPEG
            return as_tensor(image)
    except Exception as error:
        raise ImageReadError(path, _reason(error)) from error


def _choose_fraction(image: Image.Image, least_size: tuple[int, int]) -> None:
    """Lets a JPEG that is not loaded yet be decoded at the least fraction not below a size."""
    height, width = least_size
    try:
        is_turned = image.getexif().get(ExifTags.Base.Orientation, 1) in _TURNED
    except Exception:  # as `_upright`
        is_turned = False
    image.draft(None, (height, width) if is_turned else (width, height))


def as_tensor(image: Image.Image) -> Tensor:
    """Returns a decoded picture as `read_image` does: upright, (3, H, W) uint8 RGB."""
    return torch.from_numpy(_to_rgb(_upright(image))).permute(2, 0, 1).contiguous()


def refuse_line(key: str, size: Sequence[int], max_aspect: float = MAX_ASPECT) -> None:
    """Refuses a line of pixels: enlarged until its short side fits, it would take all memory.

    Args:
        key: The image.
        size: (height, width).
        max_aspect: How many times the longer side may be the shorter one.

    Raises:
        ReadError: It is more.
    """
    if max(size) > max_aspect * min(size):
        msg = (
            f"image is a line: {key} ({size[0]}x{size[1]} px, more than {max_aspect:g} to 1). "
            "Leave it out, crop it, or raise max_aspect."
        )
        raise ReadError(msg)


def find_images(root: Path, option: str = "data.root") -> dict[str, Path]:
    """Finds the .png, .jpg and .jpeg files (in any case) below a folder.

    The key of an image is its path below `root` with `/` and without the suffix. Where two files
    would share a key (`a.png` beside `a.jpg`), each of them keeps its suffix in the key; no other
    key changes. Names that begin with a dot are skipped, with all that is below them. Linked
    folders are followed once. What a labelling run wrote, into a folder below `root` or into `root`
    itself, is no photograph.

    Args:
        root: The folder.
        option: How the message calls it.

    Returns:
        Path by key, sorted by key.

    Raises:
        UsageError: There is no such folder, or no image in it.
    """
    root = Path(root)
    if not root.is_dir():
        msg = f"no such folder: {option}={root}. Check {option}."
        raise UsageError(msg)
    unlisted: list[OSError] = []
    names = {path.relative_to(root).as_posix(): path for path in _image_files(root, unlisted)}
    if unlisted:
        first = f"{unlisted[0].filename}: {unlisted[0].strerror}"
        log.warning("%d folders could not be listed and are left out: %s", len(unlisted), first)
    if not names:
        looked_for = ", ".join(f"*{suffix}" for suffix in SUFFIXES)
        msg = f"no images found: {option}={root} (looked for {looked_for}). Check {option}."
        raise UsageError(msg)
    return dict(sorted((key, names[name]) for name, key in _distinct_keys(names).items()))


def _distinct_keys(names: dict[str, Path]) -> dict[str, str]:
    whole: set[str] = set()  # names that keep their suffix
    while True:
        keys = {name: name if name in whole else name[: name.rfind(".")] for name in names}
        count = Counter(keys.values())
        shared = {name for name, key in keys.items() if count[key] > 1} - whole
        if not shared:
            return keys
        whole |= shared  # again: `a.png.png` has just lost its key to `a.png`


def _image_files(root: Path, unlisted: list[OSError]) -> Iterator[Path]:
    """Yields image files; folders that may not be listed are noted."""
    for path in walk_files(root, enters=_may_hold_photographs, unlisted=unlisted):
        if path.name.lower().endswith(SUFFIXES):
            yield path


def _may_hold_photographs(folder: Path, name: str) -> bool:
    """Whether a sub-folder is no part of what a labelling run wrote."""
    return not (_holds_labels(folder / name) or (name in _OF_A_RUN and _holds_labels(folder)))


def _holds_labels(folder: Path) -> bool:
    labels = (folder / SEMANTIC, folder / SHARDS)
    return (folder / MANIFEST).is_file() and any(path.is_dir() for path in labels)


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # damaged EXIF tells no orientation; the pixels are as good as before
        return image


def _to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode in _SIXTEEN_BIT:
        gray = np.clip(np.asarray(image).astype(np.int64), 0, 65535) >> 8
        return np.repeat(gray.astype(np.uint8)[..., None], 3, axis=2)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        background = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(background, image)
    return np.array(image.convert("RGB"))


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, Image.UnidentifiedImageError):
        return "not an image"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    lines = str(error).splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
