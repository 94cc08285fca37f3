"""Label maps as PNG files: strict decoding, fast and repeatable encoding."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin
from torch import Tensor

from relief.formats.files.atomic import write_bytes
from relief.schema.errors import ReadError
from relief.schema.label_spaces import VOID

IGNORE_8_BIT = 255
IGNORE_16_BIT = 65535
_END = b"IEND\xaeB`\x82"
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BIT_DEPTH, _COLOR_TYPE = 24, 25  # offsets in every PNG file
_RGB, _PALETTE, _RGBA = 2, 3, 6
PngImagePlugin.MAX_TEXT_CHUNK = 2**26  # long texts beside the pixels harm nobody
PngImagePlugin.MAX_TEXT_MEMORY = 2**28
# Most rows of a label map are the row above. One filter for all of them is as small as the best of
# five for each, which OpenCV would search for. Run lengths suit ids, the default strategy colours.
_UP = [cv2.IMWRITE_PNG_COMPRESSION, 6, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP]
_COLOURS = [*_UP, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_DEFAULT]
_IDS = [*_UP, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]


class ByteSource(Protocol):
    """A file to read, such as a path or a member of a tar; as text, it says where it is."""

    def read_bytes(self) -> bytes:
        """Returns its content; raises `OSError`."""
        ...


def read_png(path: ByteSource) -> NDArray[Any]:
    """Decodes a whole label PNG.

    Returns:
        (H, W) uint8 or uint16 ids (indices where there is a palette of colours; grays where it is
        of grays, as an optimiser leaves them and every viewer shows them), or (H, W, 3) uint8 RGB.

    Raises:
        ReadError: The file is missing, cut, damaged, or neither 8- nor 16-bit.
    """
    return _decoded(path, _content(path))


def read_rgb(path: ByteSource) -> NDArray[np.uint8]:
    """Decodes a label PNG whose colours are numbers, however an optimiser or editor packed them.

    A palette is looked up, an opaque alpha channel is dropped, a gray file of zeros is black.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ReadError: As `read_png`, or the file is gray or transparent.
    """
    data = _content(path)
    kind = data[_COLOR_TYPE]
    if kind == _PALETTE or (kind == _RGBA and data[_BIT_DEPTH] == 8):
        rgba = np.array(_opened(path, data).convert("RGBA"))
        if rgba[..., 3].min() < 255:
            raise _unreadable(path, "is transparent, expected RGB")
        return rgba[..., :3]
    array = _decoded(path, data)
    if array.ndim == 3:
        return array
    if array.any():
        raise _unreadable(path, "gray, expected RGB")
    return np.zeros((*array.shape, 3), np.uint8)


def read_rgb_16_bit(path: ByteSource) -> NDArray[np.uint16]:
    """Decodes a PNG whose 16-bit channels are numbers, none of them shortened to 8 bits.

    Returns:
        (H, W, 3) uint16 RGB.

    Raises:
        ReadError: As `read_png`, or the file is no 16-bit RGB.
    """
    data = _content(path)
    if (data[_BIT_DEPTH], data[_COLOR_TYPE]) != (16, _RGB):
        raise _unreadable(path, "expected 16-bit RGB")
    return np.ascontiguousarray(_pixels(path, data)[..., ::-1])


def write_png(path: Path, array: NDArray[Any]) -> None:
    """Encodes (H, W) uint8 or uint16 ids or (H, W, 3) uint8 RGB; equal arrays, equal bytes.

    Raises:
        WriteError: The file cannot be written.
    """
    write_bytes(path, png_bytes(array))


def png_bytes(array: NDArray[Any]) -> bytes:
    """Returns the content of the file that `write_png` writes."""
    if array.ndim == 3 and array.size:
        _, data = cv2.imencode(".png", cv2.cvtColor(array, cv2.COLOR_RGB2BGR), _COLOURS)
    else:
        _, data = cv2.imencode(".png", np.ascontiguousarray(array), _IDS)
    return bytes(data)


def read_ids(path: ByteSource) -> Tensor:
    """Reads a single-channel PNG of raw ids: (H, W) int64, nothing is taken as ignore.

    Raises:
        ReadError: As `read_png`, or the file has several channels.
    """
    array = read_png(path)
    if array.ndim != 2:
        raise _unreadable(path, "has colours, expected ids")
    return torch.from_numpy(array.astype(np.int64))


def read_semantic(path: ByteSource) -> Tensor:
    """Reads ids with ignore: (H, W) int64, 255 of an 8-bit and 65535 of a 16-bit file are -1.

    Raises:
        ReadError: As `read_ids`.
    """
    compact = read_compact(path)
    ids = compact.to(torch.int64)
    ignore = IGNORE_8_BIT if compact.dtype == torch.uint8 else IGNORE_16_BIT
    return ids.masked_fill_(ids == ignore, VOID)


def read_compact(path: ByteSource) -> Tensor:
    """Reads ids as they are stored: (H, W) uint8, or int32 of a 16-bit file; see `read_semantic`.

    Raises:
        ReadError: As `read_ids`.
    """
    array = read_png(path)
    if array.ndim != 2:
        raise _unreadable(path, "has colours, expected ids")
    return torch.from_numpy(array if array.dtype == np.uint8 else array.astype(np.int32))


def write_semantic_png(path: Path, semantic: Tensor, num_categories: int) -> None:
    """Writes ids with ignore: 8-bit where all ids fit below 255, else 16-bit.

    Args:
        path: Where to.
        semantic: (H, W) integers in [-1, num_categories).
        num_categories: How many ids there may be; it decides the depth of the file.

    Raises:
        ValueError: An id is out of range.
        WriteError: The file cannot be written.
    """
    ids = semantic.cpu().numpy()
    if ids.size and (ids.min() < VOID or ids.max() >= num_categories):
        msg = f"expected ids in [-1, {num_categories}), got {ids.min()} to {ids.max()}"
        raise ValueError(msg)
    if num_categories <= IGNORE_8_BIT:
        write_png(path, ids.astype(np.uint8))  # -1 wraps to 255
    else:
        write_png(path, ids.astype(np.uint16))  # -1 wraps to 65535


def write_instance_png(path: Path, instance: Tensor) -> None:
    """Writes (H, W) instance ids, 0 = none: 8-bit, or 16-bit where an id passes 255."""
    ids = instance.cpu().numpy()
    largest = int(ids.max()) if ids.size else 0
    if largest > IGNORE_16_BIT:
        msg = f"expected at most {IGNORE_16_BIT} instances in an image, got id {largest}"
        raise ValueError(msg)
    write_png(path, ids.astype(np.uint8 if largest <= IGNORE_8_BIT else np.uint16))


def _content(path: ByteSource) -> bytes:
    """A PNG file from its beginning to its end; what others append behind it is not looked at."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    if not data.startswith(_SIGNATURE) or len(data) <= _COLOR_TYPE:
        raise _unreadable(path, "not a PNG file")
    end = data.rfind(_END)
    if end <= _COLOR_TYPE:
        raise _unreadable(path, "file is truncated")
    return data[: end + len(_END)]


def _decoded(path: ByteSource, data: bytes) -> NDArray[Any]:
    if data[_COLOR_TYPE] == _PALETTE:
        image = _opened(path, data)
        return np.array(image.convert("L") if has_gray_palette(image) else image)
    array = _pixels(path, data)
    if data[_BIT_DEPTH] < 8 and array.any():  # of zeros alone an optimiser leaves one bit
        raise _unreadable(path, f"{data[_BIT_DEPTH]} bits a pixel, expected 8 or 16")
    if array.ndim == 2:
        return array
    if array.shape[2] != 3 or array.dtype != np.uint8:
        raise _unreadable(path, "has colours, expected ids")
    return np.asarray(cv2.cvtColor(array, cv2.COLOR_BGR2RGB))


def _pixels(path: ByteSource, data: bytes) -> NDArray[Any]:
    """The values as they are stored; colours as OpenCV orders them, BGR."""
    try:
        array = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:  # sizes that no picture has
        raise _unreadable(path, "damaged") from error
    if array is None:
        raise _unreadable(path, "damaged")
    return array


def _opened(path: ByteSource, data: bytes) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
    except Exception as error:
        raise _unreadable(path, "damaged") from error
    return image


def has_gray_palette(image: Image.Image) -> bool:
    """Whether all colours of a palette are grays: the picture is a gray one, packed."""
    entries = np.array(image.getpalette("RGB") or [], dtype=np.int64).reshape(-1, 3)
    return len(entries) > 0 and bool((entries == entries[:, :1]).all())


def _unreadable(path: ByteSource, reason: str) -> ReadError:
    return ReadError(f"cannot read label: {path} ({reason}). Make it again or remove it.")
