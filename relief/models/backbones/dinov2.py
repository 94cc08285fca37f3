"""Plain DINOv2 patch tokens, the published baseline without a head."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from relief.models.backbones.cause_tr import IMAGE_MEAN, IMAGE_STD
from relief.models.backbones.dinov2_body import DINOv2Body
from relief.models.backbones.provenance import Provenance, no_weights
from relief.models.weights.files import load_state_dict, sha256_of
from relief.schema.errors import WeightsError

# What published files hold that this body has no place for, and the network of timm that has.
_LEFT_TO_TIMM = {
    "register_tokens": ("with register tokens", "such as vit_base_patch14_reg4_dinov2"),
    "blocks.0.mlp.w12.weight": ("ViT-g/14, whose blocks are gated", "vit_giant_patch14_dinov2"),
}


class DINOv2(nn.Module):
    """Patch tokens after the final norm, positions interpolated as the authors do.

    Args:
        weights: Such as `dinov2_vitb14_pretrain.pth`; read in `setup`, sizes from its tensors.
            ViT-g/14 and the files with registers are for `TimmViT`.
        num_heads: Attention heads; `None`: one per 64 channels, as in all published sizes.
        average_mirror: Averages with the features of the mirror image.

    Attributes:
        patch_px: 14.
        dim: Channels of the tokens, 768 for ViT-B; known after `setup`.
    """

    patch_px = 14

    def __init__(
        self, weights: str, num_heads: int | None = None, average_mirror: bool = False
    ) -> None:
        super().__init__()
        self.weights = weights
        self.num_heads = num_heads
        self.average_mirror = average_mirror
        self.dim = 768
        self.body: DINOv2Body | None = None
        self._provenance = no_weights()
        self.register_buffer("mean", torch.tensor(IMAGE_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGE_STD).view(1, 3, 1, 1), persistent=False)
        self.mean: Tensor
        self.std: Tensor

    def setup(self) -> None:
        """Reads `weights` once.

        Raises:
            WeightsError: The file is missing, damaged, or of another network.
        """
        if self.body is not None:
            return
        tensors = load_state_dict(self.weights)
        for sign, (kind, model) in _LEFT_TO_TIMM.items():
            if sign in tensors:
                msg = f"cannot load weights: {self.weights} ({kind}). Use TimmViT, model {model}."
                raise WeightsError(msg)
        body = DINOv2Body(tensors, self.num_heads, self.weights)
        if body.patch_px != self.patch_px:
            msg = (
                f"cannot load weights: {self.weights} (patches of {body.patch_px} px). Use TimmViT."
            )
            raise WeightsError(msg)
        self.body = body.to(self.mean.device).requires_grad_(False).eval()
        self.dim = body.width
        self._provenance["weights"] = {"features": sha256_of(self.weights)}

    @property
    def provenance(self) -> Provenance:
        """Hash of the weights; self-supervised."""
        return self._provenance

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) float32 in [0, 1] -> (B, dim, H / 14, W / 14)."""
        if not self.average_mirror:
            return self._patch_tokens(image)
        both = self._patch_tokens(torch.cat([image, image.flip(-1)]))
        straight, mirrored = both.chunk(2)
        return (straight + mirrored.flip(-1)) / 2

    def _patch_tokens(self, image: Tensor) -> Tensor:
        if self.body is None:
            raise RuntimeError("DINOv2 has no weights yet: call setup() first.")
        size = (image.shape[-2] // self.patch_px, image.shape[-1] // self.patch_px)
        tokens = self.body((image - self.mean) / self.std)[:, 1:]
        return tokens.transpose(1, 2).unflatten(2, size)
