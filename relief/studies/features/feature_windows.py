"""The images of a tree seen by a backbone once, kept as window tokens for many codebooks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from relief.formats.depth_files import check_aspect
from relief.formats.images import read_image
from relief.models.depth.sources import depth_at
from relief.models.labelling.cluster_segmentation import window_features
from relief.ops.panoptic import compact_pairs
from relief.ops.window_features import WindowFeatures
from relief.schema.errors import ReadError
from relief.schema.geometry import WindowGeometry, scaled_size
from relief.schema.parts import Backbone, DepthReader
from relief.schema.sources import ImageSource


@dataclass(frozen=True)
class SeenImage:
    """One image as far as labelling needs it.

    Attributes:
        key: Of the image.
        windows: Features of its windows.
        size: Its own (height, width).
        split_size: The (height, width) at which it is split.
        depth_path: Its depth file; `None` without depth.
    """

    key: str
    windows: WindowFeatures
    size: tuple[int, int]
    split_size: tuple[int, int]
    depth_path: str | None

    def depth(self, reader: DepthReader | None) -> Tensor | None:
        """(1, 1, *split_size) float32 in [0, 1]; `None` without a reader.

        Raises:
            ReadError: The file cannot be used.
        """
        if reader is None or self.depth_path is None:
            return None
        depth = reader.read(self.depth_path)
        check_aspect(depth, self.size, self.depth_path)
        image = torch.empty(3, 0, 0)  # only a depth network would look at it
        return depth_at(None, image, depth[None], self.split_size)


@dataclass(frozen=True)
class TrueImage:
    """Ground truth of one image, compact: (H, W) int32 ids and the pair of each id."""

    ids: Tensor
    pairs: Tensor


@torch.no_grad()
def see_images(
    source: ImageSource,
    keys: Sequence[str],
    backbone: Backbone,
    depth: DepthReader | None,
    geometry: WindowGeometry,
    split_short_side_px: int,
    advance: Callable[[], None],
    device: torch.device | str = "cpu",
) -> list[SeenImage]:
    """Runs a backbone over images, as the labelling run does, one by one.

    Args:
        source: Where they are.
        keys: Which.
        backbone: Already set up, on the device.
        depth: Finds their depth; `None`: they are labelled without.
        geometry: The size the backbone sees, and its windows.
        split_short_side_px: Short side where splitting runs.
        advance: Called after each image.
        device: Where the backbone runs; what it saw is kept on the CPU.

    Raises:
        ReadError: An image cannot be read, or there is no depth for it.
    """
    seen = []
    for key in keys:
        image = read_image(source.image_path(key)).to(device).to(torch.float32) / 255
        depth_path = None if depth is None else depth.find(source.split, key)
        if depth is not None and depth_path is None:
            msg = f"depth is missing: {key}. Add its file."
            raise ReadError(msg)
        size = (image.shape[-2], image.shape[-1])
        windows = _on_cpu(window_features(backbone, image, geometry))
        split_size = scaled_size(size, split_short_side_px)
        seen.append(SeenImage(key, windows, size, split_size, depth_path))
        advance()
    return seen


def _on_cpu(windows: WindowFeatures) -> WindowFeatures:
    return WindowFeatures(windows.mosaic.cpu(), windows.row_weights, windows.column_weights)


def read_truth(source: ImageSource, keys: Sequence[str]) -> list[TrueImage]:
    """Ground truth of images, for measuring; raises `ReadError`."""
    return [TrueImage(*compact_pairs(source.target(key))) for key in keys]
