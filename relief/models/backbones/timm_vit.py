"""Patch tokens of any vision transformer that timm knows: DINO, DINOv2, DINOv3 and others."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from relief.models.backbones.provenance import Provenance, no_weights
from relief.models.backbones.timm_weights import fill_vit
from relief.models.weights.files import load_state_dict, sha256_of
from relief.processes.lean_imports import late_compiler
from relief.schema.errors import UsageError, WeightsError

with late_compiler():
    import timm

UNKNOWN_SUPERVISION = "unknown: the option supervision does not say which labels taught the weights"
# jsonargparse hands `null` on the command line over as the text "None" where the default is a text.
_NO_LABELS = ("", "None", "null")
_NOT_A_VIT = (AssertionError, AttributeError, IndexError, RuntimeError, TypeError, ValueError)


class TimmViT(nn.Module):
    """The last patch tokens, after the final norm, of a model by timm's name.

    Nothing is downloaded. Files as the authors published them are translated by timm where it
    knows how. Positions are resampled as timm does, which for DINO and DINOv2 differs slightly from
    the authors' own way: `DINOv2` is exact.

    Args:
        model: Such as `vit_small_patch8_224.dino` or `vit_base_patch16_dinov3`.
        weights: A state dict on disk; read in `setup`.
        supervision: Which labels the weights depended on, one sentence for the manifest. `None` or
            empty states that they are self-supervised: names do not tell, so that without this
            argument the manifest says that it is unknown.
        random_seed: Random values instead of `weights`, for comparison.

    Attributes:
        patch_px: Side of a patch, known after `setup`.
        dim: Channels of the tokens, known after `setup`.
    """

    def __init__(
        self,
        model: str,
        weights: str | None = None,
        supervision: str | None = UNKNOWN_SUPERVISION,
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
            fill_vit(vit, load_state_dict(self.weights), model=self.model, source=self.weights)
            self._provenance["weights"] = {"features": sha256_of(self.weights)}
            if self.supervision is not None and self.supervision not in _NO_LABELS:
                self._provenance["supervision"] = (self.supervision,)
        self.vit = vit.to(self.mean.device).requires_grad_(False).eval()
        self.dim = vit.num_features
        self.patch_px = vit.patch_embed.patch_size[0]
        for buffer, name in ((self.mean, "mean"), (self.std, "std")):
            buffer.copy_(torch.tensor(vit.pretrained_cfg[name]).view(1, 3, 1, 1))

    @property
    def provenance(self) -> Provenance:
        """Hash and supervision of the weights; empty before `setup` and for random values."""
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
    try:
        with torch.device("meta"):
            _check_tokens(_create(model))
    except _NOT_A_VIT as error:
        msg = f"not a vision transformer of timm: {model}. See timm.list_models('vit*')."
        raise UsageError(msg) from error
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _create(model)


def _create(model: str) -> Any:
    return timm.create_model(
        model, pretrained=False, num_classes=0, global_pool="", dynamic_img_size=True
    )


def _check_tokens(vit: Any) -> None:
    """Whether 2 x 3 square patches give six tokens behind the prefix; costs nothing on `meta`.

    Names do not tell: Swin and hybrids are called transformers too and give another grid.

    Raises:
        ValueError: They give something else, or what networks raise that are called in vain.
    """
    rows_px, columns_px = vit.patch_embed.patch_size
    tokens = vit.eval().forward_features(torch.zeros(1, 3, 2 * rows_px, 3 * columns_px))
    expected = (1, vit.num_prefix_tokens + 6, vit.num_features)
    if rows_px != columns_px or tokens.shape != expected:
        msg = f"Expected tokens of shape {expected}, got {tuple(tokens.shape)}."
        raise ValueError(msg)
