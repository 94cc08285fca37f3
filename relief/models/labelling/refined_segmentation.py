"""Semantic maps from several scales, refined by a CRF: what the published study tried."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch.nn.functional as F
from torch import Tensor

from relief.models.codebooks.codebook import Codebook
from relief.models.labelling.readouts import CosineReadout
from relief.ops.resize import resize_image, resize_nearest
from relief.ops.sliding_window import WindowFeatures, extract_windows, network_size
from relief.schema.geometry import WindowGeometry
from relief.schema.parts import Backbone


class Readout(Protocol):
    """Features to one map per label."""

    def maps(self, features: WindowFeatures, codebook: Codebook) -> Tensor:
        """(K, h, w) float32; maps of several scales are averaged."""
        ...

    def probabilities(self, maps: Tensor) -> Tensor:
        """(K, h, w), sums over K are 1."""
        ...


class Refiner(Protocol):
    """Probabilities to better ones, looking at the image."""

    def setup(self) -> None:
        """Finds what it needs; raises `UsageError`."""

    def refine(self, probabilities: Tensor, image: Tensor) -> Tensor:
        """(K, h, w) and (3, h, w) in [0, 1] -> (K, h, w)."""
        ...


class RefinedSegmentation:
    """In place of `segment`: the same arguments and result, more work.

    Args:
        readout: `CosineReadout` for k-means, `ProbeReadout` for the 27-centroid probe.
        scales: Sizes at which the image is looked at, relative to the geometry's short side.
        keeps_aspect: `False` repeats the published distortion: sides are at least one window, so
            that at 0.75 a street image is squeezed to 322x476.
        refiner: `DenseCRF`, or `None`.
    """

    def __init__(
        self,
        readout: Readout | None = None,
        scales: Sequence[float] = (1.0,),
        keeps_aspect: bool = True,
        refiner: Refiner | None = None,
    ) -> None:
        if not scales or min(scales) <= 0:
            msg = f"Expected `scales` to be positive numbers, got {list(scales)}."
            raise ValueError(msg)
        self.readout: Readout = readout or CosineReadout()
        self.scales = tuple(scales)
        self.keeps_aspect = keeps_aspect
        self.refiner = refiner

    def setup(self) -> None:
        """Finds what the refiner needs; raises `UsageError`."""
        if self.refiner is not None:
            self.refiner.setup()

    def __call__(
        self, backbone: Backbone, codebook: Codebook, image: Tensor, geometry: WindowGeometry
    ) -> Tensor:
        """The semantic map of one image at its own size.

        Args:
            backbone: Already set up.
            codebook: Filled.
            image: (3, H, W) float32 in [0, 1].
            geometry: At scale 1.

        Returns:
            (H, W) int64: class ids when the codebook knows classes, else clusters.
        """
        own_size = (image.shape[-2], image.shape[-1])
        size = network_size(own_size, geometry.short_side_px, backbone.patch_px)
        maps = self._mean_maps(backbone, codebook, image, geometry, size)
        if self.refiner is not None:
            small = resize_image(image[None], size)[0]
            maps = self.refiner.refine(self.readout.probabilities(maps), small)
        return resize_nearest(maps.argmax(dim=0)[None], own_size)[0]

    def _mean_maps(
        self,
        backbone: Backbone,
        codebook: Codebook,
        image: Tensor,
        geometry: WindowGeometry,
        size: tuple[int, int],
    ) -> Tensor:
        total: Tensor | None = None
        for scale in self.scales:
            seen = self.size_at(scale, (image.shape[-2], image.shape[-1]), geometry, backbone)
            features = extract_windows(
                backbone,
                resize_image(image[None], seen),
                geometry.window_px,
                geometry.stride_px,
            )
            maps = self.readout.maps(features, codebook)
            if seen != size:
                maps = F.interpolate(maps[None], size, mode="bilinear", align_corners=False)[0]
            total = maps if total is None else total.add_(maps)
        assert total is not None
        return total / len(self.scales)

    def size_at(
        self, scale: float, size: tuple[int, int], geometry: WindowGeometry, backbone: Backbone
    ) -> tuple[int, int]:
        """(height, width) at which the network sees an image of `size` at a scale."""
        short_side_px = round(geometry.short_side_px * scale)
        height, width = network_size(size, short_side_px, backbone.patch_px)
        if self.keeps_aspect:
            return height, width
        return max(height, geometry.window_px), max(width, geometry.window_px)
