"""One splitter on one depth: a row of a sweep before it has figures."""

from __future__ import annotations

import hashlib
import inspect
import json
import pickle
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from functools import cached_property
from typing import Any

from relief.schema.parts import Splitter
from relief.splitters.area_filtered import AreaFilteredSplitter

GRID, AREA_FILTER = "grid", "area_filter"
BASELINE_AREA_PX = 10  # the area filter of components that others are compared with
_ROOM = "relief.splitters."
_FILTER = "min_area_px"


@dataclass(frozen=True)
class Cut:
    """The way that things of an image are parted, before an area filter where one follows.

    Attributes:
        depth: Name of the depth source; empty for splitters that look at none.
        splitter: Class path.
        arguments: What the splitter was made with, as JSON.
    """

    depth: str
    splitter: str
    arguments: str


@dataclass(frozen=True)
class Setting:
    """One row of `sweep.csv`, before it has figures.

    Attributes:
        splitter: The part.
        depth: Name of the depth source; empty for splitters that look at none.
        purpose: `grid`, or `area_filter` for components that only separate its gain.
    """

    splitter: Splitter
    depth: str = ""
    purpose: str = GRID

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """Everything that the splitter holds, by name, as plain values."""
        return _held(self.splitter)

    @property
    def name(self) -> str:
        """The module of a splitter of the house, else the class path."""
        module = type(self.splitter).__module__
        return module.removeprefix(_ROOM) if module.startswith(_ROOM) else self.cut.splitter

    @property
    def min_area_px(self) -> int:
        """The area filter that follows the cut; 1 where the splitter filters for itself."""
        splitter = self.splitter
        return splitter.min_area_px if isinstance(splitter, AreaFilteredSplitter) else 1

    @cached_property
    def cut(self) -> Cut:
        """Returns the cut that all area filters of the setting share."""
        filtered = {_FILTER} if isinstance(self.splitter, AreaFilteredSplitter) else set()
        kept = {name: value for name, value in self.arguments.items() if name not in filtered}
        return Cut(self.depth, _class_path(self.splitter), json.dumps(kept))


def source_code(kind: type[Splitter]) -> str:
    """A hash of the file that a splitter's class is written in; empty where there is none."""
    try:
        text = inspect.getsource(sys.modules[kind.__module__])
    except (OSError, TypeError):
        return ""
    return hashlib.sha256(text.encode()).hexdigest()


def _class_path(splitter: Splitter) -> str:
    return f"{type(splitter).__module__}.{type(splitter).__qualname__}"


def _held(splitter: Splitter) -> dict[str, Any]:
    """Everything that a splitter holds, by name, as plain values."""
    return {name.lstrip("_"): _plain(value) for name, value in vars(splitter).items()}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Splitter):
        return {"class_path": _class_path(value), **_held(value)}
    if isinstance(value, frozenset | set):
        return sorted(map(_plain, value))
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if hasattr(value, "tolist"):  # a tensor or an array, or one of its numbers
        held = value.tolist()
        if not isinstance(held, list):
            return held
        content = json.dumps(held).encode()
    else:
        content = pickle.dumps(value)
    return f"{type(value).__qualname__} {hashlib.sha256(content).hexdigest()[:12]}"
