"""The DINOv2 vision transformer (arXiv:2304.07193) on timm's body, by the published key names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relief.models.weights.files import fill
from relief.processes.lean_imports import late_compiler
from relief.schema.errors import WeightsError

with late_compiler():
    from timm.models.vision_transformer import VisionTransformer

IGNORED_KEYS = ("mask_token",)  # stands for hidden patches in pretraining; inference hides none
HEAD_WIDTH = 64  # of all published sizes
_GRID_OFFSET = 0.1  # the published scale factor is (n + 0.1) / grid, which shifts every position


def needed(
    state_dict: Mapping[str, Tensor], name: str, source: Path | str, ndim: int | None = None
) -> Tensor:
    """A tensor by name.

    Args:
        state_dict: Tensors by name.
        name: The one wanted.
        source: The file of which errors speak.
        ndim: How many dimensions it must have; `None`: any number.

    Raises:
        WeightsError: It is not there, or has other dimensions.
    """
    if name not in state_dict:
        msg = f"cannot load weights: {source} (no {name}). Give the file of this network."
        raise WeightsError(msg)
    tensor = state_dict[name]
    if ndim is not None and tensor.ndim != ndim:
        msg = (
            f"cannot load weights: {source} ({name} is {tuple(tensor.shape)}, expected {ndim} "
            f"dimension{'s' * (ndim > 1)}). Give the file of this network."
        )
        raise WeightsError(msg)
    return tensor


class DINOv2Body(nn.Module):
    """Normalised images to the tokens after the final norm. Sizes come from the tensors.

    Args:
        state_dict: By the published names.
        num_heads: Attention heads; `None`: one per 64 channels, as in all published sizes.
        source: The file of which errors speak.

    Raises:
        WeightsError: A tensor is missing, unknown, or of another shape.
    """

    def __init__(
        self,
        state_dict: Mapping[str, Tensor],
        num_heads: int | None = None,
        source: Path | str = "backbone",
    ) -> None:
        super().__init__()
        positions = needed(state_dict, "pos_embed", source, ndim=3)
        patch = needed(state_dict, "patch_embed.proj.weight", source, ndim=4)
        hidden = needed(state_dict, "blocks.0.mlp.fc1.weight", source, ndim=2).shape[0]
        self.patch_px = patch.shape[-1]
        self.width = positions.shape[-1]
        self.position_grid = round((positions.shape[1] - 1) ** 0.5)
        heads = num_heads or max(1, self.width // HEAD_WIDTH)
        if self.width % heads:
            msg = f"cannot load weights: {source} (width {self.width} is no multiple of {heads} "
            raise WeightsError(msg + "heads). Set num_heads.")
        self.vit = VisionTransformer(
            img_size=self.position_grid * self.patch_px,
            patch_size=self.patch_px,
            embed_dim=self.width,
            depth=1 + max(int(n.split(".")[1]) for n in state_dict if n.startswith("blocks.")),
            num_heads=heads,
            mlp_ratio=hidden / self.width,
            init_values=1.0 if "blocks.0.ls1.gamma" in state_dict else None,
            num_classes=0,
            global_pool="",
            dynamic_img_size=True,
        )
        fill(self.vit, state_dict, source=source, ignored=IGNORED_KEYS)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) normalised -> (B, 1 + H W / patch^2, width), the class token first."""
        patches = self.vit.patch_embed(image)
        size = (patches.shape[1], patches.shape[2])
        class_token = self.vit.cls_token.expand(image.shape[0], -1, -1)
        tokens = torch.cat([class_token, patches.flatten(1, 2)], dim=1) + self.positions(size)
        return cast(Tensor, self.vit.norm(self.vit.blocks(tokens)))

    def positions(self, size: tuple[int, int]) -> Tensor:
        """(1, 1 + h w, width): the learned grid, bicubically at the published scale factor."""
        learned = self.vit.pos_embed
        grid = self.position_grid
        if size == (grid, grid):
            return learned
        square = learned[:, 1:].reshape(1, grid, grid, self.width).permute(0, 3, 1, 2)
        scale = ((size[0] + _GRID_OFFSET) / grid, (size[1] + _GRID_OFFSET) / grid)
        resized = F.interpolate(square.float(), scale_factor=scale, mode="bicubic")
        return torch.cat([learned[:, :1], resized.flatten(2).transpose(1, 2)], dim=1)
