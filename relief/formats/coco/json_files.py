"""Keys by file names, whole numbers, entries one by one: common to all JSON files of COCO."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from relief.formats.reader import path_of_key

MALFORMED = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
)
_ENDINGS = ("_gtFine_panoptic", "_panoptic", "_leftImg8bit")  # of Cityscapes' scripts and others
_CITYSCAPES_STEM = re.compile(r"([A-Za-z-]+)_\d{6}_\d{6}")


def key_of_file_name(file_name: str) -> str:
    """Returns the key of an image by the name of a file; raises `ValueError` where it is none."""
    path = path_of_key(Path(), file_name, "")
    key = path.with_suffix("").as_posix()
    for ending in _ENDINGS:
        key = key.removesuffix(ending)
    city = _CITYSCAPES_STEM.fullmatch(key)
    return f"{city[1]}/{key}" if city else key


def whole_number(value: str | float, limit: int = 2**16) -> int:
    """Returns a whole number in [0, limit), which others also write as text or with a point.

    Raises:
        ValueError: It is none.
    """
    number = int(value)
    if number != float(value) or not 0 <= number < limit:
        msg = f"expected a whole number below {limit}, got {value}"
        raise ValueError(msg)
    return number


def json_pieces(content: Mapping[str, Iterable[Any] | dict[str, Any]]) -> Iterator[str]:
    """Yields the JSON of lists by name, entry by entry; the names come in their order here."""
    for i, (name, entries) in enumerate(content.items()):
        yield f"{',' if i else '{'}{_json(name)}:"
        if isinstance(entries, dict):
            yield _json(entries)
            continue
        yield "["
        for k, entry in enumerate(entries):
            yield f"{',' if k else ''}{_json(entry)}"
        yield "]"
    yield "}\n"


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
