"""A plain vision transformer (DINOv2, DINOv3, ...) with a simple feature pyramid.

The pyramid is made from the last map alone (Li et al., "Exploring Plain Vision Transformer
Backbones for Object Detection", 2022).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from relief.models.segmenters.cascade.detectron2_parts import (
    Backbone,
    LastLevelMaxPool,
    ShapeSpec,
    SimpleFeaturePyramid,
)
from relief.models.weights.files import fill, load_state_dict
from relief.processes.lean_imports import late_compiler

with late_compiler():
    import timm

STRIDE_PX = 16


class TokenMap(Backbone):
    """A timm vision transformer as one map of stride 16, called `last`.

    Where its patches are not of 16 px (DINOv2: 14), the image is resized so that one patch covers
    16 px of the image given.

    Args:
        name: timm's name, e.g. `vit_base_patch14_dinov2`, `vit_base_patch16_dinov3`.
        frozen: No gradients, always in evaluation mode.
        options: More of timm's constructor arguments, e.g. `depth` for a small one.
    """

    def __init__(self, name: str, frozen: bool, options: dict[str, int] | None = None) -> None:
        super().__init__()
        self.body = timm.create_model(
            name, pretrained=False, num_classes=0, dynamic_img_size=True, **(options or {})
        )
        self.frozen = frozen
        self.patch_px: int = self.body.patch_embed.patch_size[0]
        self._out_features = ["last"]
        self.body.requires_grad_(not frozen)
        self.train()

    def train(self, mode: bool = True) -> TokenMap:
        """As `nn.Module.train`; a frozen body stays in evaluation mode."""
        super().train(mode)
        if self.frozen:
            self.body.eval()
        return self

    def output_shape(self) -> dict[str, ShapeSpec]:
        """Channels and stride of the map."""
        return {"last": ShapeSpec(channels=self.body.num_features, stride=STRIDE_PX)}

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """(B, 3, H, W) normalised, sides multiples of 16 -> `last`: (B, C, H / 16, W / 16)."""
        rows, columns = image.shape[-2] // STRIDE_PX, image.shape[-1] // STRIDE_PX
        size = (rows * self.patch_px, columns * self.patch_px)
        if size != tuple(image.shape[-2:]):
            image = F.interpolate(
                image, size=size, mode="bilinear", align_corners=False, antialias=True
            )
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            tokens = self.body.forward_features(image)[:, self.body.num_prefix_tokens :]
        return {"last": tokens.transpose(1, 2).unflatten(2, (rows, columns))}


class VitPyramid(SimpleFeaturePyramid):
    """A vision transformer with maps of stride 4, 8, 16, 32 and 64 made from its last one.

    Args:
        name: timm's name of the body.
        weights: A state dict with timm's names (`.safetensors`, `.pth`); `None`: random weights.
        frozen: Whether the body stays as it is; the pyramid always learns.
        width: Channels of the pyramid.
        options: More of timm's constructor arguments.
    """

    def __init__(
        self,
        name: str = "vit_base_patch14_dinov2",
        weights: Path | None = None,
        frozen: bool = True,
        width: int = 256,
        options: dict[str, int] | None = None,
    ) -> None:
        super().__init__(
            TokenMap(name, frozen, options),
            in_feature="last",
            out_channels=width,
            scale_factors=(4.0, 2.0, 1.0, 0.5),
            top_block=LastLevelMaxPool(),
            norm="LN",
        )
        self.weights = weights

    def setup(self) -> None:
        """Loads the weights of the body, once.

        Raises:
            WeightsError: The file cannot be read, or belongs to another body.
        """
        if self.weights is None:
            return
        published = load_state_dict(self.weights)
        heads = [name for name in published if name.startswith(("head.", "mask_token"))]
        fill(self.net.body, published, source=self.weights, ignored=heads)
        self.weights = None
