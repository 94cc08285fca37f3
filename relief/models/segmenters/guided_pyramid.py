"""A feature pyramid that is told what a frozen network sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from relief.models.backbones.cause_tr import IMAGE_MEAN, IMAGE_STD
from relief.models.segmenters.cascade.detectron2_parts import Backbone, Conv2d, ShapeSpec, get_norm
from relief.models.segmenters.frozen_features import FrozenFeatures
from relief.schema.parts import Backbone as FeatureSource


class GuidedPyramid(Backbone):
    """A trainable pyramid to which the features of a labelling backbone are added on every level.

    The pyramid sees edges and places, the frozen features know textures: a few images are enough
    to train what lies between. The features are no part of the state dict; they are read from
    their own file again.

    Args:
        pyramid: A detectron2 backbone with maps p2..p6 of one width, a multiple of 32.
        features: Any backbone of `label.py`; it stays as it is, without gradients.
        magnification: The features see the image so many times as large; a number and not a size,
            so that a crop is seen at the scale of the whole.
    """

    def __init__(self, pyramid: nn.Module, features: nn.Module, magnification: float = 1.0) -> None:
        super().__init__()
        self.pyramid = cast(Backbone, pyramid)
        self.frozen = FrozenFeatures(features, magnification).held_by(self)
        shapes = self.pyramid.output_shape()
        self._out_features = list(shapes)
        dim = self.features.dim
        self.guides = nn.ModuleDict(
            {
                name: Conv2d(
                    dim, shape.channels, 1, bias=False, norm=get_norm("GN", shape.channels)
                )
                for name, shape in shapes.items()
            }
        )

    @property
    def features(self) -> FeatureSource:
        """The frozen network."""
        return self.frozen.backbone

    @property
    def size_divisibility(self) -> int:
        """As that of the pyramid."""
        return self.pyramid.size_divisibility

    @property
    def padding_constraints(self) -> Mapping[str, int]:
        """As those of the pyramid."""
        return cast(Mapping[str, int], self.pyramid.padding_constraints)

    def output_shape(self) -> dict[str, ShapeSpec]:
        """Channels and strides of the maps: those of the pyramid."""
        return self.pyramid.output_shape()

    def setup(self) -> None:
        """Loads the weights of both networks.

        Raises:
            WeightsError: As either `setup`.
        """
        self.pyramid.setup()
        self.features.setup()

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """(B, 3, H, W) normalised with ImageNet's mean and deviation -> p2..p6."""
        seen = self._seen(image)
        maps: dict[str, Tensor] = self.pyramid(image)
        return {
            name: value
            + self.guides[name](
                F.interpolate(seen, size=value.shape[-2:], mode="bilinear", align_corners=False)
            )
            for name, value in maps.items()
        }

    def _seen(self, image: Tensor) -> Tensor:
        """(B, dim, h, w) features of normalised images."""
        mean, std = (image.new_tensor(v).view(1, 3, 1, 1) for v in (IMAGE_MEAN, IMAGE_STD))
        return self.frozen(image * std + mean)
