"""Maps that a page splits itself at other thresholds, without a server.

A page gets, of each image shown, the regions of its things and how many of some rising levels the
gradient of its depth is above. What hangs together at a level is then found in the page by the
rules of `relief.ops.splitting.reclaim`, so that its objects are those of `DepthGradientSplitter`.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from relief.formats.reader import LabelReader
from relief.ops.depth_edges import gradient_magnitude
from relief.ops.resize import resize_nearest
from relief.reports.figures.example_panels import DepthEdges, ReportSources
from relief.schema.geometry import scaled_size
from relief.splitters.stability import StabilitySplitter

_LEVELS = 40  # steps of the slider
_LOWEST, _HIGHEST = 0.001, 0.5  # gradients between which depth is cut in practice
_AREAS_PX = (0, 25, 50, 100, 200, 400, 600, 800, 1200, 1600, 2400, 4000)
_MOST_LIVES = 40  # more lines than a person reads


def explorer_of(
    keys: Sequence[str],
    labels: LabelReader,
    sources: ReportSources,
    edges: DepthEdges | None,
    groups: Sequence[int] | None,
) -> dict[str, Any] | None:
    """Describes the images of a page for its sliders.

    Args:
        keys: Images shown, in order.
        labels: Their label store.
        sources: Looks up their depth.
        edges: How the run cut depth.
        groups: Group of each id, -1 for stuff.

    Returns:
        What `level_explorer.html` reads; `None` where depth was not cut, or no image has any.
    """
    if edges is None or groups is None or sources.depth is None:
        return None
    levels = explorer_levels(edges)
    explorer = LevelExplorer(edges, torch.tensor(groups, dtype=torch.int64), levels)
    depths = [sources.depth(key) for key in keys]
    rows = [row for row, depth in enumerate(depths) if depth is not None]
    if not rows:
        return None
    return {
        "levels": levels,
        "level": edges.gradient_threshold,
        "areas": sorted({*_AREAS_PX, edges.min_area_px}),
        "area": edges.min_area_px,
        "reach": edges.dilation_px,
        "rows": rows,
        "images": [
            explorer.explored(keys[row], labels.semantic(keys[row]), cast(Tensor, depths[row]))
            for row in rows
        ],
    }


def explorer_levels(edges: DepthEdges) -> list[float]:
    """Rising gradients that the slider stops at, evenly spaced by ratio; the run's own is one.

    Args:
        edges: How the run cut depth.
    """
    spaced = np.geomspace(_LOWEST, _HIGHEST, _LEVELS).astype(np.float32).tolist()
    return sorted({float(f"{level:.3g}") for level in spaced} | {edges.gradient_threshold})


@dataclass(frozen=True)
class LevelExplorer:
    """Makes what a page needs to split an image at any level.

    Attributes:
        edges: How the run cut depth.
        groups: (K,) int64 what is split together, -1 = no thing.
        levels: Of `explorer_levels`.
    """

    edges: DepthEdges
    groups: Tensor
    levels: list[float]

    def explored(self, key: str, semantic: Tensor, depth: Tensor) -> dict[str, Any]:
        """Describes one image.

        Args:
            key: Its key.
            semantic: (H, W) int64 categories, -1 = none.
            depth: (1, h, w) float32 in [0, 1].

        Returns:
            `key`, `size` (height, width) of the maps, `maps` (address of a picture: red is the
            number of levels that the gradient is above, green + 256 * blue the region, 0 = none)
            and `lives`: (lowest, end, until, area in pixels) of what `StabilitySplitter` takes for
            objects, largest first, as gradients.
        """
        size = scaled_size((semantic.shape[0], semantic.shape[1]), self.edges.short_side_px)
        at_size = F.interpolate(depth[None], size, mode="bilinear", align_corners=False)
        sharpening = self.edges.sharpening
        sharp = at_size if sharpening is None else sharpening(at_size)
        gradient = gradient_magnitude(sharp, self.edges.sigma)[0, 0].numpy()
        ids = resize_nearest(semantic, size)
        region = torch.where(ids >= 0, self.groups[ids.clamp(min=0)], -1).numpy() + 1
        above = np.searchsorted(np.asarray(self.levels, np.float32), gradient, side="left")
        maps = np.stack((np.where(region > 0, above, 0), region & 255, region >> 8), axis=-1)
        return {
            "key": key,
            "size": list(size),
            "maps": _lossless_address(maps.astype(np.uint8)),
            "lives": _lives(region.astype(np.uint32), at_size[0, 0].numpy()),
        }


def _lives(region: NDArray[np.uint32], depth: NDArray[np.float32]) -> list[list[float]]:
    splitter = StabilitySplitter()
    lives = splitter.lifetimes(region, depth)
    order = np.argsort(-lives.area_px, kind="stable")[:_MOST_LIVES]
    logs = np.stack((lives.lowest, lives.end, lives.until), axis=-1)[order]
    levels = np.maximum(np.exp(logs) - splitter.floor, 0.0)
    return [
        [*(float(f"{level:.4g}") for level in row), int(area)]
        for row, area in zip(levels.tolist(), lives.area_px[order], strict=True)
    ]


def _lossless_address(picture: NDArray[np.uint8]) -> str:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
