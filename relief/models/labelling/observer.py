"""Networks look at an image once; what they see is an observation."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from relief.models.codebooks.codebook import Codebook
from relief.models.codebooks.feature_samples import patch_grid
from relief.models.depth.sources import depth_at
from relief.models.labelling.cluster_segmentation import (
    best_stuff,
    label_pixels,
    window_features,
    window_features_of_all,
)
from relief.models.labelling.refined_segmentation import RefinedSegmentation
from relief.ops.resize import resize_nearest
from relief.ops.sliding_window import WindowFeatures
from relief.schema.geometry import WindowGeometry, scaled_size
from relief.schema.observation import FEATURES, IMAGE, STUFF, Observation
from relief.schema.parts import Backbone, DepthModel


class Seen(NamedTuple):
    """Holds all that networks see of one image, whichever were looked at with it.

    Attributes:
        windows: Features of its windows; `None` where other scales are looked at.
        depth: (1, 1, h, w) float32 in [0, 1] where splitting runs; `None` without a network.
    """

    windows: WindowFeatures | None
    depth: Tensor | None


class Observer:
    """Makes the observation of an image: for labels, for the codebook's passes, for pictures.

    Args:
        backbone: Already set up when an image is observed.
        codebook: Has centroids by then.
        depth: A depth network; `None` where depth is read or there is none.
        geometry: The size the backbone sees, and its windows.
        split_short_side_px: The size at which splitting runs.
        segmentation: In place of one plain look: several scales, a CRF.
    """

    def __init__(
        self,
        backbone: nn.Module,
        codebook: Codebook,
        depth: nn.Module | None,
        geometry: WindowGeometry,
        split_short_side_px: int = 512,
        segmentation: RefinedSegmentation | None = None,
    ) -> None:
        self.backbone, self.codebook, self.depth = backbone, codebook, depth
        self.geometry, self.split_short_side_px = geometry, split_short_side_px
        self.segmentation = segmentation

    @classmethod
    def of(cls, parts: Any) -> Observer:
        """Returns the observer of a module that holds these parts under the same names."""
        return cls(
            parts.backbone,
            parts.codebook,
            parts.depth,
            parts.geometry,
            parts.split_short_side_px,
            parts.segmentation,
        )

    def look(self, images: Tensor) -> list[Seen | None]:
        """Looks at several images at once: each network is called, and waited for, once.

        Args:
            images: (B, 3, H, W) float32 in [0, 1].

        Returns:
            What `observe` takes of each image; `None` of one that is to be looked at alone, which
            tells what is wrong with it.
        """
        windows: list[WindowFeatures | None] = [None] * len(images)
        depths: list[Tensor | None] = [None] * len(images)
        is_sound = [True] * len(images)
        if self.segmentation is None:
            backbone = cast(Backbone, self.backbone)
            windows = window_features_of_all(backbone, images, self.geometry)
            is_sound = [one is not None for one in windows]
        if self.depth is not None:
            size = scaled_size((images.shape[-2], images.shape[-1]), self.split_short_side_px)
            depth = cast(DepthModel, self.depth).relative_depth(images, size)
            depths = list(depth[:, None])
            finite = torch.isfinite(depth).flatten(1).all(dim=1).tolist()
            is_sound = [one and other for one, other in zip(is_sound, finite, strict=True)]
        seen = zip(windows, depths, is_sound, strict=True)
        return [Seen(one, depth) if sound else None for one, depth, sound in seen]

    def observe(
        self,
        image: Tensor,
        depth: Tensor | None,
        wanted: Collection[str] = (),
        seen: Seen | None = None,
    ) -> tuple[Tensor, Observation]:
        """Observes one image.

        Args:
            image: (3, H, W) float32 in [0, 1].
            depth: (1, 1, h, w) float32 in [0, 1] as it was read, or `None`.
            wanted: Fields that are only made when they are asked for: `features`, `image`,
                `stuff`.
            seen: What `look` gave of this image; otherwise networks look at it now.

        Returns:
            The semantic map (H, W) int64 at the image's own size, and the observation of a batch
            of one at the size where splitting runs. Ids are classes where the codebook knows them,
            else clusters.

        Raises:
            ReadError: A network cannot take this image.
        """
        own_size = (image.shape[-2], image.shape[-1])
        size = scaled_size(own_size, self.split_short_side_px)
        at_size = None if seen is None else seen.depth
        if at_size is None:
            at_size = depth_at(self.depth, image, depth, size)
        backbone, features, stuff = cast(Backbone, self.backbone), None, None
        if self.segmentation is None or FEATURES in wanted or STUFF in wanted:
            known = None if seen is None else seen.windows
            windows = known or window_features(backbone, image, self.geometry)
        if FEATURES in wanted:
            features = windows.grid(patch_grid(windows, backbone.patch_px))[None]
        if STUFF in wanted:
            stuff = resize_nearest(best_stuff(windows, self.codebook, own_size)[None], size)
        if self.segmentation is None:
            semantic = label_pixels(windows, self.codebook, own_size)
        else:  # its scales are others than that of the features
            semantic = self.segmentation(backbone, self.codebook, image, self.geometry)
        observation = Observation(
            semantic=resize_nearest(semantic[None], size),
            things=self.codebook.thing_categories.to(semantic.device),
            image=image[None] if IMAGE in wanted else None,
            depth=at_size,
            features=features,
            stuff=stuff,
        )
        return semantic, observation
