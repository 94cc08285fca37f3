"""Fits `HandmadeRGB` to images, without labels: the same whitening as the texture teacher's."""

from __future__ import annotations

import torch
from torch import Tensor

from relief.models.backbones.handmade import ROW_WEIGHT
from relief.models.backbones.rgb_statistics import RGBStatistics
from relief.samples.features.nuisance_whitening import fit_whitening
from relief.samples.features.photometric_jitter import photometric_jitter

DIRECTIONS = 6
LIGHT_WEIGHT = 1.0


def fit_handmade(images: Tensor, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """The arguments of `HandmadeRGB.fill`.

    Args:
        images: (N, 3, H, W) uint8.
        seed: Of the other light under which the images are seen.

    Returns:
        Mean (12,), directions (12, 6), and the scale of the row, a number.
    """
    generator = torch.Generator().manual_seed(seed)
    backbone = RGBStatistics()
    plain = torch.cat([backbone(image[None] / 255) for image in images])
    relit = [backbone(photometric_jitter(image[None] / 255, generator)) for image in images]
    whitening = fit_whitening(plain, torch.cat(relit), DIRECTIONS, light_weight=LIGHT_WEIGHT)
    # A row from -1 to 1 has a deviation of 3^-1/2.
    row_scale = ROW_WEIGHT * 3**0.5 * whitening(plain).std()
    return whitening.mean, whitening.directions, row_scale
