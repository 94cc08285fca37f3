"""The strongest features of colour that need no network: the bar a learned one has to pass."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from relief.formats.files.atomic import write_bytes
from relief.models.backbones.dinov2_body import needed
from relief.models.backbones.provenance import Provenance, no_weights
from relief.models.backbones.rgb_statistics import RGBStatistics
from relief.models.weights.files import load_state_dict, sha256_of
from relief.ops.splitting.neighbourhood import average_around
from relief.processes.recipes import shipped_file
from relief.schema.errors import WeightsError

CONTEXT_REACHES = (1, 3)
CONTEXT_WEIGHT = 0.7
ROW_WEIGHT = 2.0


class HandmadeRGB(nn.Module):
    """RGB statistics, whitened by nuisance, with averages around each patch and the row.

    Args:
        weights: A `.safetensors` file that `save_whitening` wrote; read in `setup`.
        patch_px: Side of a patch.

    Attributes:
        dim: Three times the whitened directions and one.
    """

    def __init__(self, weights: str | None = None, patch_px: int = 14) -> None:
        super().__init__()
        self.weights = weights and shipped_file(weights)
        self.patch_px = patch_px
        self.dim = 0
        self.statistics = RGBStatistics(patch_px)
        self.register_buffer("mean", torch.empty(0))
        self.register_buffer("directions", torch.empty(0, 0))
        self.register_buffer("row_scale", torch.ones(()))
        self.mean: Tensor
        self.directions: Tensor
        self.row_scale: Tensor
        self._provenance = no_weights()

    def setup(self) -> None:
        """Reads `weights` once.

        Raises:
            WeightsError: None given, or the file is missing, damaged, or another.
        """
        if self.dim:
            return
        if self.weights is None:
            msg = "no weights: HandmadeRGB. Give weights a .safetensors file."
            raise WeightsError(msg)
        tensors = load_state_dict(self.weights)
        mean, directions, row_scale = (
            needed(tensors, name, self.weights) for name in ("mean", "directions", "row_scale")
        )
        self.fill(mean, directions, row_scale)
        self._provenance["weights"] = {"features": sha256_of(self.weights)}

    def fill(self, mean: Tensor, directions: Tensor, row_scale: Tensor) -> None:
        """Sets the whitening.

        Args:
            mean: (12,).
            directions: (12, D).
            row_scale: What the height in the image is multiplied with, a number.
        """
        device = self.mean.device
        self.mean, self.directions = mean.float().to(device), directions.float().to(device)
        self.row_scale = row_scale.float().to(device)
        self.dim = directions.shape[1] * (1 + len(CONTEXT_REACHES)) + 1

    @property
    def provenance(self) -> Provenance:
        """The hash of the whitening; it was fitted without labels."""
        return self._provenance

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) float32 in [0, 1] -> (B, dim, H / patch, W / patch)."""
        centred = self.statistics(image) - self.mean.view(1, -1, 1, 1)
        whitened = torch.einsum("bchw,cd->bdhw", centred, self.directions)
        around = [CONTEXT_WEIGHT * average_around(whitened, reach) for reach in CONTEXT_REACHES]
        batch, _, height, width = whitened.shape
        row = torch.linspace(-1, 1, height, device=image.device) * self.row_scale
        return torch.cat(
            [whitened, *around, row.view(1, 1, -1, 1).expand(batch, 1, height, width)], dim=1
        )


def save_whitening(path: Path | str, mean: Tensor, directions: Tensor, row_scale: Tensor) -> None:
    """Writes what `HandmadeRGB` reads; arguments as `HandmadeRGB.fill`."""
    tensors = {"mean": mean, "directions": directions, "row_scale": row_scale}
    write_bytes(path, save({name: tensor.contiguous() for name, tensor in tensors.items()}))
