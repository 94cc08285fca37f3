"""Files as accidents, other systems or enemies leave them."""

from __future__ import annotations

import io
import json
import random
import re
import struct
import zipfile
import zlib
from typing import Any

import numpy as np
import safetensors.torch
import torch
import yaml
from PIL import Image

_PNG, _NUMPY, _ZIP, _JPEG = b"\x89PNG", b"\x93NUMPY", b"PK\x03\x04", b"\xff\xd8"
_SIZES = ((60000, 60000), (12000, 12000), (2**31 - 1, 1), (0, 0))
_FOREIGN = (b"<html>404</html>", b"version https://git-lfs.github.com/spec/v1\n", b"[" * 100_000)
_VALUES = (
    None,
    -1,
    10**10,
    10**30,
    "x",
    "two\nlines.",
    "2024-13-45",
    "0-99999999999",
    [],
    {},
    [[]],
    True,
    0.5,
)
_ARRAYS = (
    np.array(3.0),
    np.zeros(0),
    np.zeros((0, 3, 3)),
    np.array(["x", "y"]),
    np.array([1 + 1j]),
    np.array([np.nan, 1.0]),
    np.array([2**62, -(2**62)]),
    np.zeros((2, 2, 2), bool),
    np.array([[70000, -5], [3, 1]]),
    np.array([{"a": 1}], dtype=object),
)


def damaged(content: bytes, others: list[bytes], draw: random.Random) -> bytes | None:
    """A file made of a valid one, or of another kind's; `None`: a directory lies in its place."""
    kind, changed = draw.randrange(12), bytearray(content)
    if kind == 0:
        return content[: draw.randrange(len(content))]
    if kind == 1:
        for _ in range(draw.choice((1, 3, 30))):
            changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
        return bytes(changed)
    if kind == 2:
        start, stop = sorted(draw.choices(range(len(changed) + 1), k=2))
        changed[start:stop] = bytes(stop - start)
        return bytes(changed)
    if kind == 3:
        return draw.choice(others)
    if kind == 4:
        return content + content
    if kind in (5, 6):
        return huge(content, draw)
    if kind == 7:
        return draw.randbytes(draw.randrange(1, 400))
    if kind == 8:
        return draw.choice((*_FOREIGN, b"", None))
    return retyped(content, draw)


def huge(content: bytes, draw: random.Random) -> bytes:
    """The file with a header that promises more than any memory holds, or nothing."""
    if content.startswith(_PNG):
        header = b"IHDR" + struct.pack(">II", *draw.choice(_SIZES)) + content[24:29]
        return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]
    if content.startswith(_JPEG):
        start = content.index(b"\xff\xc0") + 5
        size = struct.pack(">HH", *draw.choice(((60000, 60000), (20000, 9000), (0, 0))))
        return content[:start] + size + content[start + 4 :]
    if content.startswith(_NUMPY):
        return _huge_array(content)
    if content.startswith(_ZIP):
        packed = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(packed, "w") as new:
            for name in old.namelist():
                new.writestr(name, _huge_array(old.read(name)))
        return packed.getvalue()
    return struct.pack("<Q", 2 ** draw.choice((20, 40, 60))) + content[8:]


def _huge_array(content: bytes) -> bytes:
    """An array of 10^12 numbers, as its header says, which keeps its length."""
    return re.sub(
        rb"\([\d, ]*\), \}( *)",
        lambda old: b"(999999999999,), }".ljust(len(old[0])),
        content,
        count=1,
    )


def retyped(content: bytes, draw: random.Random) -> bytes:
    """A whole file of the same format, with a value of another type or size somewhere in it."""
    file = io.BytesIO()
    if content.startswith((_PNG, _JPEG)):
        size = draw.choice(((1, 1), (20, 12), (40, 24), (96, 48), (3, 50)))
        mode = draw.choice(("1", "L", "P", "RGB", "RGBA", "LA", "I;16"))
        picture = Image.frombytes("L", size, draw.randbytes(size[0] * size[1]))
        picture.convert(mode).save(file, "png")
    elif content.startswith(_NUMPY):
        np.save(file, draw.choice(_ARRAYS))
    elif content.startswith(_ZIP) and b"data.pkl" in content:
        value = torch.load(io.BytesIO(content), weights_only=True)
        torch.save(_changed(value, (*_VALUES, *map(torch.as_tensor, _ARRAYS[4:9])), draw), file)
    elif content.startswith(_ZIP):
        np.savez(file, **_changed(dict(np.load(io.BytesIO(content))), _ARRAYS, draw))
    elif content[8:9] == b"{":
        return _safetensors(content, draw)
    else:
        return yaml.safe_dump(_changed(yaml.safe_load(content), _VALUES, draw)).encode()
    return file.getvalue()


def _safetensors(content: bytes, draw: random.Random) -> bytes:
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    tensors, metadata = safetensors.torch.load(content), header.get("__metadata__")
    if metadata and draw.random() < 0.7:
        name, text = next(iter(metadata.items()))
        metadata = {name: json.dumps(_changed(json.loads(text), _VALUES, draw))}
    else:
        tensors = _changed(tensors, [*map(torch.as_tensor, (_ARRAYS[:3] + _ARRAYS[5:9]))], draw)
    return safetensors.torch.save(tensors, metadata)


def _changed(value: Any, values: Any, draw: random.Random) -> Any:
    """Nested dictionaries and lists with another value, or nothing, at one place."""
    places: list[tuple[Any, Any]] = []

    def visit(node: Any) -> None:
        for name in list(node) if isinstance(node, dict) else range(len(node)):
            places.append((node, name))
            if isinstance(node[name], dict | list):
                visit(node[name])

    visit(value)
    node, name = draw.choice(places)
    if draw.random() < 0.2:
        del node[name]
    else:
        node[name] = draw.choice(values)
    return value
