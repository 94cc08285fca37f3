"""Geometric augmentations: one warp is drawn and moves every map of the pixels."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, cast

from torch import Tensor
from torch.nn import functional as F

from relief.ops.objects.instance_targets import tidy_instances
from relief.schema.pixel_maps import PixelKind, pixel_maps
from relief.schema.training import Augmentation, TrainingBatch, TrainingMoment

Warp = Callable[[Mapping[str, Tensor], Mapping[str, PixelKind]], dict[str, Tensor]]
"""Moves maps, given their kinds: images and weights bilinearly, ids to the nearest pixel. Pixels
from outside of the image are 0 in images and weights and -1 in ids."""


class GeometricAugmentation(Augmentation):
    """Moves image, labels and whatever else lies over the pixels together.

    Subclasses draw the warp. Objects that are left with fewer pixels than `min_object_px` are
    dropped.
    """

    min_object_px: int = 1

    @abstractmethod
    def draw(self, batch: TrainingBatch) -> Warp:
        """Draws one warp for a batch, from torch's global generators."""
        ...

    def __call__(self, batch: TrainingBatch, moment: TrainingMoment) -> TrainingBatch:
        """Returns the batch, moved; the one given stays as it is.

        Raises:
            ValueError: There is a map of a kind that is not known.
        """
        del moment
        kinds = pixel_maps(batch)
        entries: Mapping[str, Any] = batch
        moved = self.draw(batch)({name: entries[name] for name in kinds}, kinds)
        for name, kind in kinds.items():
            if kind != "ids":
                moved[name] = moved[name].clamp(0.0, 1.0)
        moved["instance"] = moved["instance"].clamp(min=0)  # outside there is no object
        return tidy_instances(cast(TrainingBatch, {**batch, **moved}), self.min_object_px)


def resized(values: Tensor, kind: PixelKind, size: tuple[int, int]) -> Tensor:
    """Resizes a map by its kind.

    Args:
        values: (B, C, H, W) or (B, H, W); `ids` are (B, H, W).
        kind: Ids take the nearest pixel; images and weights a triangle filter, widened when
            shrinking.
        size: (height, width).
    """
    layers = values if values.ndim == 4 else values[:, None]
    if kind == "ids":
        moved = F.interpolate(layers.double(), size=size, mode="nearest-exact").long()
    else:
        moved = F.interpolate(
            layers, size=size, mode="bilinear", align_corners=False, antialias=True
        )
    return moved if values.ndim == 4 else moved[:, 0]
