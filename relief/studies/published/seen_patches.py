"""The patches of a split as one backbone sees them, with the classes under them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from relief.formats.images import read_image
from relief.models.codebooks.class_votes import patch_classes
from relief.models.codebooks.feature_samples import patch_features, patch_grid
from relief.models.labelling.cluster_segmentation import window_features
from relief.ops.sliding_window import network_size
from relief.processes.progress import with_progress
from relief.schema.errors import ReadError, UsageError
from relief.schema.geometry import WindowGeometry
from relief.schema.parts import Backbone
from relief.schema.sources import ImageSource


@dataclass(frozen=True)
class SeenPatches:
    """All patches of a split that are not void in the ground truth.

    Attributes:
        features: (N, C) float64 of length 1, on the CPU.
        classes: (N,) int64 ids of the 19 classes.
        images: How many images they are of.
    """

    features: Tensor
    classes: Tensor
    images: int


@torch.no_grad()
def see_patches(
    source: ImageSource,
    backbone: Backbone,
    geometry: WindowGeometry,
    device: torch.device | str = "cpu",
    name: str = "",
) -> SeenPatches:
    """Runs a backbone over a split; ground truth is read first, so that none is missed later.

    Features are kept in float64, in which the published fitter works, and in one piece from the
    start: raw DINOv2 on Cityscapes val is 3 GB so, and would be twice that as a list of float32
    tensors, their concatenation and the fitter's copy.

    Args:
        source: The images with ground truth.
        backbone: Already set up; it is moved to the device.
        geometry: The size it sees, and its windows.
        device: Where it runs.
        name: For the progress bars.

    Raises:
        UsageError: There are no images, or ground truth is missing.
        ReadError: An image or its ground truth cannot be read, or they differ in size.
    """
    classes, grids = _classes(source, backbone.patch_px, geometry, name)
    known = [own >= 0 for own in classes]
    features = torch.empty(sum(int(own.sum()) for own in known), backbone.dim, dtype=torch.float64)
    cast(nn.Module, backbone).to(device)
    begin = 0
    for i, key in enumerate(with_progress(source.keys, f"{name}: images", len(source.keys))):
        image = read_image(source.image_path(key)).to(device).to(torch.float32) / 255
        windows = window_features(backbone, image, geometry)
        if patch_grid(windows, backbone.patch_px) != grids[i]:
            msg = f"image and ground truth differ in size: {key}. Replace one of them."
            raise ReadError(msg)
        own = patch_features(windows, backbone.patch_px).cpu()[known[i]]
        features[begin : begin + len(own)] = own
        begin += len(own)
    joined = torch.cat([own[own >= 0] for own in classes])
    return SeenPatches(features, joined, len(source.keys))


def _classes(
    source: ImageSource, patch_px: int, geometry: WindowGeometry, name: str
) -> tuple[list[Tensor], list[tuple[int, int]]]:
    """For each image the class under each patch, -1 = void, and the patch grid."""
    missing = [key for key in source.keys if source.target_path(key) is None]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        msg = f"ground truth is missing: {missing[0]}{more}. Check --root and --split for gtFine."
        raise UsageError(msg)
    classes, grids = [], []
    for key in with_progress(source.keys, f"{name}: ground truth", len(source.keys)):
        target = source.target(key)[..., 0]
        seen = network_size((target.shape[0], target.shape[1]), geometry.short_side_px, patch_px)
        grid = seen[0] // patch_px, seen[1] // patch_px
        classes.append(patch_classes(target, grid))
        grids.append(grid)
    return classes, grids
