"""Features in closed form, which the sample's network learns to see in one look.

A frozen bank of filters, whitened by what is nuisance, beside its own averages over larger
neighbourhoods and the row: no gradient and no label has any part in it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from relief.ops.splitting.neighbourhood import average_around
from relief.samples.features.nuisance_whitening import fit_whitening, rows
from relief.samples.features.photometric_jitter import photometric_jitter
from relief.samples.features.texture_bank import TextureBank


def texture_targets(
    views: Tensor,
    generator: torch.Generator,
    dim: int,
    *,
    fitted_on: int | None = None,
    whitened_dim: int = 30,
    context_reaches: Sequence[int] = (1, 3),
    context_weight: float = 0.7,
    row_weight: float = 2.0,
) -> Tensor:
    """Targets for every patch of every view.

    Args:
        views: (N, 3, H, W) uint8, sides multiples of 14 px.
        generator: Of the other light under which the whitening sees the images.
        dim: Channels of the targets: the strongest directions of all that is gathered.
        fitted_on: The whitening is fitted on the first ones only.
        whitened_dim: Discriminant directions of the bank.
        context_reaches: Patches to each side over which averages are taken.
        context_weight: Of each average, the patch itself counting 1.
        row_weight: Of the height in the image.

    Returns:
        (N, dim, H / 14, W / 14) float32 of unit length.
    """
    bank = TextureBank()
    plain = torch.cat([bank(view[None] / 255) for view in views])
    relit = torch.cat(
        [bank(photometric_jitter(view[None] / 255, generator)) for view in views[:fitted_on]]
    )
    whitened = fit_whitening(plain[: len(relit)], relit, whitened_dim)(plain)
    around = [context_weight * average_around(whitened, reach) for reach in context_reaches]
    height = torch.linspace(-1, 1, whitened.shape[2]).view(1, 1, -1, 1) * 3**0.5
    row = row_weight * whitened.std() * height.expand(len(whitened), 1, -1, whitened.shape[3])
    gathered = torch.cat([whitened, *around, row], dim=1)
    return F.normalize(strongest_directions(gathered, dim), dim=1)


def strongest_directions(features: Tensor, dim: int) -> Tensor:
    """Centred and rotated to the principal directions: (B, C, h, w) -> (B, min(C, dim), h, w)."""
    every = rows(features)
    mean = every.mean(dim=0)
    _, vectors = torch.linalg.eigh(torch.cov(every.T))
    strongest = vectors.flip(1)[:, :dim]
    return torch.einsum("bchw,cd->bdhw", features - mean.view(1, -1, 1, 1), strongest)
