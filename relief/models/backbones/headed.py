"""A frozen body and a head that was trained on its tokens, as one backbone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import torch
from safetensors.torch import save
from torch import Tensor, nn

from relief.formats.files.atomic import write_bytes
from relief.models.backbones.cause_weights import ABOUT_KEY, read_about
from relief.models.backbones.dinov2_body import needed
from relief.models.backbones.provenance import Provenance, no_weights
from relief.models.heads.cause_head import MEAN, STUDENT
from relief.models.segmenters.network_settings import NetworkSettings
from relief.models.weights.files import fill, load_state_dict, sha256_of
from relief.schema.errors import WeightsError
from relief.schema.parts import Backbone
from relief.schema.plain_text import sentences_of


class HeadedBackbone(nn.Module):
    """Features by a head on the tokens of a body, averaged over the image and its mirror image.

    Args:
        body: Any backbone; the one whose tokens the head learned from.
        head: The file that `train.py fit --config configs/train/cause_head.yaml` wrote.
        which: The moving average, as published, or the `student` that it follows.
        mirrored: Average over the mirror image.
        random_seed: Draws the values of the head at random instead: before it learned anything, for
            comparison.

    Attributes:
        patch_px: Of the body, known after `setup`.
        dim: Channels of the features, known after `setup`.
    """

    def __init__(
        self,
        body: nn.Module,
        head: str,
        which: Literal["mean", "student"] = "mean",
        mirrored: bool = True,
        random_seed: int | None = None,
    ) -> None:
        super().__init__()
        self.body, self.head_file = body, head
        self.which, self.mirrored, self.random_seed = which, mirrored, random_seed
        self.head: nn.Module | None = None
        self.patch_px, self.dim = 0, 0
        self._provenance = no_weights()

    def setup(self) -> None:
        """Reads the weights of body and head once.

        Raises:
            WeightsError: A file is missing, damaged, or of another network, or the head learned
                from the tokens of other weights.
        """
        if self.head is not None:
            return
        body = cast(Backbone, self.body)
        body.setup()
        provenance: Provenance = getattr(self.body, "provenance", no_weights())
        tensors, about = load_state_dict(self.head_file), read_about(self.head_file)
        if about.get("body") != provenance["weights"]:
            msg = (
                f"{self.head_file} learned from the tokens of another body. "
                "Give the body of its recipe, or train a head on this one."
            )
            raise WeightsError(msg)
        self.head = self._made(tensors, about, body.dim)
        self.patch_px, self.dim = body.patch_px, cast(Any, self.head).dim
        told = {name: sentences_of(about, name) for name in ("supervision", "notes")}
        self._provenance = {
            "weights": {**provenance["weights"], "head": sha256_of(self.head_file)},
            "supervision": _joined(provenance["supervision"], told["supervision"]),
            "notes": _joined(provenance["notes"], told["notes"]),
        }

    def _made(
        self, tensors: Mapping[str, Tensor], about: Mapping[str, Any], width: int
    ) -> nn.Module:
        codebook = needed(tensors, "codebook", self.head_file, ndim=2).float()
        settings = NetworkSettings.of(about.get("head"))
        if settings is None:
            msg = f"cannot load weights: {self.head_file} (no head that train.py fit wrote)."
            raise WeightsError(msg)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.random_seed or 0)
            head: Any = settings.maker(self.head_file, "")(width, len(codebook))
        if self.random_seed is None:
            prefix = MEAN if self.which == "mean" else STUDENT
            named = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
            own = {name: t for name, t in head.state_dict().items() if name == "codebook"}
            fill(head, {**named, **own}, source=self.head_file)
        head.use_codebook(codebook)
        made: nn.Module = head.requires_grad_(False).eval()
        return made.to(next(self.body.parameters(), codebook).device)

    @property
    def provenance(self) -> Provenance:
        """Hashes, supervision and notes of both; empty before `setup`."""
        return self._provenance

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) float32 in [0, 1] -> (B, dim, H / patch, W / patch)."""
        if self.head is None:
            raise RuntimeError("HeadedBackbone has no weights yet: call setup() first.")
        if not self.mirrored:
            return self._one_sided(image)
        straight, mirrored = self._one_sided(torch.cat([image, image.flip(-1)])).chunk(2)
        return (straight + mirrored.flip(-1)) / 2

    def _one_sided(self, image: Tensor) -> Tensor:
        grid = self.body(image)
        tokens, size = tokens_of(grid)
        features: Tensor = cast(nn.Module, self.head)(tokens, size).float()
        return features


def tokens_of(grid: Tensor) -> tuple[Tensor, tuple[int, int]]:
    """Features of a body (B, C, h, w) -> tokens (B, h w, C) and (h, w)."""
    return grid.flatten(2).transpose(1, 2), (grid.shape[-2], grid.shape[-1])


def save_head(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Writes what `HeadedBackbone` reads.

    Args:
        path: A `.safetensors` file.
        tensors: `codebook`, student and mean head by the published names.
        about: `head` (class path and arguments), `body` (SHA-256 of its weights by role),
            `supervision` and `notes` (sentences); what else JSON can hold.

    Raises:
        WriteError: It cannot be written.
    """
    whole = {name: t.detach().float().cpu().contiguous() for name, t in tensors.items()}
    write_bytes(path, save(whole, metadata={ABOUT_KEY: json.dumps(about, sort_keys=True)}))


def _joined(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))
