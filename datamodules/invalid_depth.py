"""How much of the depth that is read was never measured."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from datamodules.items import Item
from relief.schema.errors import ReadError
from relief.schema.parts import DepthReader
from relief.schema.selection import evenly_spaced

FILES_LOOKED_AT = 20  # a disparity of 1024x2048 takes 30 ms: all of 2975 would take minutes
log = logging.getLogger("relief")


def report_invalid_depth(depth: DepthReader | None, items: Sequence[Item]) -> None:
    """Says which share of the pixels takes its depth from another pixel, where there are such.

    Args:
        depth: A reader with `invalid_share`, as `FolderDepth`; others have nothing to report.
        items: The images about to be labelled; some of them are looked at.
    """
    invalid_share = getattr(depth, "invalid_share", None)
    if invalid_share is None:
        return
    shares: list[float] = []
    for item in evenly_spaced(items, FILES_LOOKED_AT):
        try:
            shares += [invalid_share(item.depth_path)] if item.depth_path is not None else []
        except ReadError:  # told when the image is labelled
            continue
    if any(shares):
        percent, files = 100 * sum(shares) / len(shares), len(shares)
        text = "depth: %.1f %% of the pixels are unknown and take the nearest known one's (%s)"
        log.info(text, percent, f"in {files} file{'' if files == 1 else 's'}")
