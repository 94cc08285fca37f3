"""The same small maps under the three protocols: the table of docs/protocols.md.

python -m relief.studies.scoring.protocol_cases
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from relief.metrics.panoptic_quality import PanopticQuality
from relief.metrics.protocols import PROTOCOLS
from relief.metrics.scoring import PERCENT

ROAD, CAR, VOID = 0, 1, -1
SIZE = (40, 80)
Map = NDArray[np.int64]


@dataclass(frozen=True)
class ProtocolCase:
    """A prediction and a target on which protocols differ.

    Attributes:
        name: What happens in it.
        predicted: (H, W, 2) (class, instance).
        true: (H, W, 2) (class, instance).
    """

    name: str
    predicted: Map
    true: Map


def protocol_cases() -> list[ProtocolCase]:
    """Road everywhere, and one thing at a time that protocols count differently."""
    return [
        _case("one car, found exactly", [(_BOX, (CAR, 1))], [(_BOX, (CAR, 1))]),
        _case("left 60 % of a car found, the rest predicted void",
              [(_BOX, (VOID, 0)), (_LEFT, (CAR, 1))], [(_BOX, (CAR, 1))]),
        _case("a car missed: predicted void", [(_BOX, (VOID, 0))], [(_BOX, (CAR, 1))]),
        _case("a car missed: predicted road", [], [(_BOX, (CAR, 1))]),
        _case("one car found, one predicted where the truth is void",
              [(_BOX, (CAR, 1)), (_OTHER, (CAR, 2))], [(_BOX, (CAR, 1)), (_OTHER, (VOID, 0))]),
        _case("one car found, one predicted in a group of cars",
              [(_BOX, (CAR, 1)), (_OTHER, (CAR, 2))], [(_BOX, (CAR, 1)), (_OTHER, (CAR, 0))]),
        _case("one car found, a group of cars predicted as road",
              [(_BOX, (CAR, 1))], [(_BOX, (CAR, 1)), (_OTHER, (CAR, 0))]),
        _case("one car found, one of 8 px missed",
              [(_BOX, (CAR, 1))], [(_BOX, (CAR, 1)), (_TINY, (CAR, 2))]),
        _case("one car found, a fifth of the road predicted void",
              [(_EDGE, (VOID, 0)), (_BOX, (CAR, 1))], [(_BOX, (CAR, 1))]),
    ]  # fmt: skip


def figures_by_protocol(case: ProtocolCase) -> dict[str, float]:
    """PQ in percent by name of the protocol; nan where nothing is counted."""
    found = {}
    for name in PROTOCOLS:
        metric = PanopticQuality(things=(CAR,), stuffs=(ROAD,), protocol=name)
        metric.update(torch.from_numpy(case.predicted)[None], torch.from_numpy(case.true)[None])
        found[name] = PERCENT * metric.compute()["pq"].item()
    return found


def protocol_table() -> str:
    """The cases as a Markdown table."""
    lines = [["the same maps", *PROTOCOLS], ["---", *["---:"] * len(PROTOCOLS)]]
    for case in protocol_cases():
        figures = figures_by_protocol(case)
        lines.append([case.name, *(f"{figures[name]:.1f}" for name in PROTOCOLS)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


_Box = tuple[slice, slice]
_BOX: _Box = (slice(10, 30), slice(10, 30))
_LEFT: _Box = (slice(10, 30), slice(10, 22))
_OTHER: _Box = (slice(10, 30), slice(45, 65))
_TINY: _Box = (slice(2, 4), slice(40, 44))
_EDGE: _Box = (slice(0, 8), slice(0, 80))


def _case(
    name: str,
    predicted: list[tuple[_Box, tuple[int, int]]],
    true: list[tuple[_Box, tuple[int, int]]],
) -> ProtocolCase:
    return ProtocolCase(name, _map(predicted), _map(true))


def _map(boxes: list[tuple[_Box, tuple[int, int]]]) -> Map:
    map_ = np.zeros((*SIZE, 2), np.int64)
    for box, pair in boxes:
        map_[box] = pair
    return map_


if __name__ == "__main__":
    print(protocol_table())  # noqa: T201
