"""The three panoptic qualities in use, as settings of one computation.

`panopticapi` is the definition of the COCO and Cityscapes benchmarks, `cups` what torchmetrics and
the networks compared with it report, `seed` what the depth splitting study reports. They differ in
what void, group regions and small segments count for; docs/protocols.md shows the same maps under
the three.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class GroupRegion(Enum):
    """The treatment of a true region of a thing class without single objects."""

    CROWD = "crowd"  # no segment to be found; predictions mostly inside it are not wrong
    SEGMENT = "segment"  # one object like any other
    BACKGROUND = "background"  # nothing: predictions there are wrong


@dataclass(frozen=True)
class PanopticProtocol:
    """One way to count.

    Attributes:
        name: What it is called on the command line and in `metrics.json`.
        group_region: What true (thing class, 0) pixels are.
        forgives_true_void: True void leaves the union, and a prediction more than half on void
            (or on a crowd of its class) is not wrong.
        forgives_predicted_void: Predicted void leaves the union, a true segment more than half
            under it is not missed, and such pixels do not count in mIoU.
        min_stuff_px: Smaller stuff segments, true or predicted, do not exist.
        min_thing_px: Smaller thing segments, true or predicted, do not exist.
        pools_segments: SQ and RQ are over all segments together, not means over classes.
        short_side_px: Maps are made this small before they are compared; 0 = as they are.
    """

    name: str
    group_region: GroupRegion
    forgives_true_void: bool
    forgives_predicted_void: bool = False
    min_stuff_px: int = 0
    min_thing_px: int = 0
    pools_segments: bool = False
    short_side_px: int = 0


PANOPTICAPI = PanopticProtocol("panopticapi", GroupRegion.CROWD, forgives_true_void=True)
CUPS = PanopticProtocol(
    "cups", GroupRegion.SEGMENT, forgives_true_void=True, forgives_predicted_void=True
)
SEED = PanopticProtocol(
    "seed",
    GroupRegion.BACKGROUND,
    forgives_true_void=False,
    min_stuff_px=64,
    min_thing_px=10,
    pools_segments=True,
    short_side_px=512,
)
PROTOCOLS: dict[str, PanopticProtocol] = {
    protocol.name: protocol for protocol in (PANOPTICAPI, CUPS, SEED)
}


def panoptic_protocol(name: str) -> PanopticProtocol:
    """The protocol of that name.

    Raises:
        ValueError: There is none; the message lists those there are.
    """
    try:
        return PROTOCOLS[name]
    except KeyError:
        msg = f"protocol must be one of {', '.join(PROTOCOLS)}, got {name!r}"
        raise ValueError(msg) from None
