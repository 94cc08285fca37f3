"""PNG files written by hand: another writer than the libraries that read them."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np


def write_png(path: Path, array: np.ndarray, palette: list[tuple[int, int, int]] = ()) -> None:
    """Writes (H, W) uint8, as indices where there is a palette, or (H, W, 3) uint8 or uint16."""
    height, width = array.shape[:2]
    color_type = 3 if palette else 2 if array.ndim == 3 else 0
    rows = array.astype(array.dtype.newbyteorder(">")).reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8 * array.itemsize, color_type, 0, 0, 0)
    chunks = [(b"IHDR", header)]
    if palette:
        chunks.append((b"PLTE", bytes(value for colour in palette for value in colour)))
    pixels = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    chunks += [(b"IDAT", pixels), (b"IEND", b"")]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for name, data in chunks:
            checksum = struct.pack(">I", zlib.crc32(name + data))
            file.write(struct.pack(">I", len(data)) + name + data + checksum)
