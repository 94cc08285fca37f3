"""Patch tokens of any vision transformer that timm knows: DINO, DINOv2, DINOv3 and others."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import timm
import torch
from torch import Tensor, nn

from relief.models.backbones.provenance import Provenance, no_weights
from relief.models.weight_files import fill, load_state_dict, sha256_of
from relief.schema.errors import UsageError, WeightsError


class TimmViT(nn.Module):
    """The last patch tokens, after the final norm, of a model by timm's name.

    Nothing is downloaded. Files as the authors published them are translated by timm where it
    knows how. Positions are resampled as timm does, which for DINOv2 differs slightly from the
    authors' own way: `DINOv2` is exact.

    Args:
        model: Such as `vit_small_patch8_224.dino` or `vit_base_patch16_dinov3`.
        weights: A state dict on disk; read in `setup`.
        supervision: Labels the weights depended on, a sentence; `None` for self-supervised ones.
        random_seed: Random values instead of `weights`, for comparison.

    Attributes:
        patch_px: Side of a patch, known after `setup`.
        dim: Channels of the tokens, known after `setup`.
    """

    def __init__(
        self,
        model: str,
        weights: str | None = None,
        supervision: str | None = None,
        random_seed: int | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.weights = weights
        self.supervision = supervision
        self.random_seed = random_seed
        self.patch_px = 0
        self.dim = 0
        self.vit: Any = None
        self._provenance = no_weights()
        self.register_buffer("mean", torch.zeros(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.ones(1, 3, 1, 1), persistent=False)
        self.mean: Tensor
        self.std: Tensor

    def setup(self) -> None:
        """Builds the network and reads `weights` once.

        Raises:
            UsageError: timm has no such model, or it is no vision transformer.
            WeightsError: None given, or the file is missing, damaged, or of another network.
        """
        if self.vit is not None:
            return
        if self.weights is None and self.random_seed is None:
            msg = f"no weights: TimmViT {self.model}. Give weights a file."
            raise WeightsError(msg)
        vit = _build(self.model, self.random_seed or 0)
        if self.weights is not None:
            tensors = _translate(vit)(load_state_dict(self.weights))
            fill(vit, tensors, source=self.weights, ignored=("mask_token",))
            self._provenance["weights"] = {"features": sha256_of(self.weights)}
        if self.supervision is not None:
            self._provenance["supervision"] = (self.supervision,)
        self.vit = vit.to(self.mean.device).requires_grad_(False).eval()
        self.dim = vit.num_features
        self.patch_px = vit.patch_embed.patch_size[0]
        for buffer, name in ((self.mean, "mean"), (self.std, "std")):
            buffer.copy_(torch.tensor(vit.pretrained_cfg[name]).view(1, 3, 1, 1))

    @property
    def provenance(self) -> Provenance:
        """Hash and supervision of the weights; empty before `setup`."""
        return self._provenance

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) float32 in [0, 1] -> (B, dim, H / patch, W / patch).

        Raises:
            UsageError: H or W is no multiple of the patch.
        """
        if self.vit is None:
            raise RuntimeError("TimmViT has no weights yet: call setup() first.")
        height, width = image.shape[-2:]
        if height % self.patch_px or width % self.patch_px:
            window_px = max(height, width) // self.patch_px * self.patch_px
            msg = (
                f"windows of {height} x {width} px do not hold whole patches of {self.patch_px} "
                f"px: {self.model}. Set window_px {window_px}."
            )
            raise UsageError(msg)
        tokens = self.vit.forward_features((image - self.mean) / self.std)
        patches = tokens[:, self.vit.num_prefix_tokens :].transpose(1, 2)
        size = (height // self.patch_px, width // self.patch_px)
        return patches.unflatten(2, size)


def _build(model: str, seed: int) -> Any:
    """A model with random weights that takes images of any size."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            vit = timm.create_model(
                model, pretrained=False, num_classes=0, global_pool="", dynamic_img_size=True
            )
        except (RuntimeError, TypeError) as error:
            msg = f"not a vision transformer of timm: {model}. See timm.list_models('vit*')."
            raise UsageError(msg) from error
    return vit


def _translate(vit: nn.Module) -> Callable[[dict[str, Tensor]], dict[str, Tensor]]:
    """The translation of published names, which timm keeps beside the class of the network."""
    translate = getattr(sys.modules[type(vit).__module__], "checkpoint_filter_fn", None)

    def without_heads(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        named = translate(tensors, vit) if translate is not None else tensors
        own = vit.state_dict()
        heads = ("head.", "fc_norm.", "head_dist.", "norm_fc.")
        return {n: t for n, t in named.items() if n in own or not n.startswith(heads)}

    return without_heads
