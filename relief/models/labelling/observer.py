"""Networks look at an image once; what they see is an observation."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

from torch import Tensor, nn

from relief.models.codebooks.codebook import Codebook
from relief.models.codebooks.feature_samples import patch_grid
from relief.models.depth.sources import depth_at
from relief.models.labelling.cluster_segmentation import best_stuff, label_pixels, window_features
from relief.models.labelling.refined_segmentation import RefinedSegmentation
from relief.ops.resize import resize_nearest
from relief.schema.geometry import WindowGeometry, scaled_size
from relief.schema.observation import FEATURES, IMAGE, STUFF, Observation
from relief.schema.parts import Backbone


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

    def observe(
        self, image: Tensor, depth: Tensor | None, wanted: Collection[str] = ()
    ) -> tuple[Tensor, Observation]:
        """Observes one image.

        Args:
            image: (3, H, W) float32 in [0, 1].
            depth: (1, 1, h, w) float32 in [0, 1] as it was read, or `None`.
            wanted: Fields that are only made when they are asked for: `features`, `image`,
                `stuff`.

        Returns:
            The semantic map (H, W) int64 at the image's own size, and the observation of a batch
            of one at the size where splitting runs. Ids are classes where the codebook knows them,
            else clusters.

        Raises:
            ReadError: A network cannot take this image.
        """
        own_size = (image.shape[-2], image.shape[-1])
        size = scaled_size(own_size, self.split_short_side_px)
        at_size = depth_at(self.depth, image, depth, size)
        backbone, features, stuff = cast(Backbone, self.backbone), None, None
        if self.segmentation is None or FEATURES in wanted or STUFF in wanted:
            windows = window_features(backbone, image, self.geometry)
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
