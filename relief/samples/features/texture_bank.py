"""A frozen bank of filters: which waves, in which direction, how strong, around every patch."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BRIGHTNESS = (0.299, 0.587, 0.114)
_KERNEL_PX = 13
_DARKEST = 0.08  # added before the logarithm: shade below it is noise
_LEAST_CONTRAST = 0.02


class TextureBank(nn.Module):
    """Energies of Gabor pairs on brightness freed of local mean and contrast.

    Directions that mirror each other are averaged, because the network that learns from the bank
    averages over the mirror image.

    Args:
        patch_px: Distance of the places where energies are read.
        directions: Number of wave directions in half a turn, even.
        wavelengths_px: Within the finest octave.
        octaves: Each halves the image.
        pool_px: Deviation of the Gaussian over which energies are gathered.
        contrast_px: Deviation of the Gaussian for local mean and contrast.
    """

    def __init__(
        self,
        patch_px: int = 14,
        directions: int = 8,
        wavelengths_px: tuple[float, ...] = (3.0, 4.24),
        octaves: int = 3,
        pool_px: float = 6.0,
        contrast_px: float = 8.0,
    ) -> None:
        super().__init__()
        self.patch_px = patch_px
        self.directions = directions
        self.wavelengths = len(wavelengths_px)
        self.octaves = octaves
        self.pool_px = pool_px
        self.contrast_px = contrast_px
        pairs = [
            gabor_pair(wavelength, math.pi * i / directions)
            for wavelength in wavelengths_px
            for i in range(directions)
        ]
        self.register_buffer("filters", torch.cat(pairs)[:, None])
        self.register_buffer("brightness", torch.tensor(BRIGHTNESS).view(1, 3, 1, 1))
        self.filters: Tensor
        self.brightness: Tensor

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) float32 in [0, 1] -> (B, channels, H / patch, W / patch)."""
        size = (image.shape[-2] // self.patch_px, image.shape[-1] // self.patch_px)
        shade = torch.log((image * self.brightness).sum(dim=1, keepdim=True) + _DARKEST)
        centred = shade - blur(shade, self.contrast_px)
        contrast = blur(centred.square(), self.contrast_px).sqrt()
        level = centred / (contrast + _LEAST_CONTRAST)
        moments = torch.cat([level.abs(), level**3 / 3, level**4 / 10], dim=1)
        channels = [
            read_at_patches(blur(moments, self.pool_px), size),
            torch.log(read_at_patches(blur(contrast, self.pool_px), size) + 0.01),
        ]
        for octave in range(self.octaves):
            channels += self._energies(level, size, self.pool_px / 2**octave)
            level = F.avg_pool2d(blur(level, 0.7), 2, ceil_mode=True)
        return torch.cat(channels, dim=1)

    def _energies(self, level: Tensor, size: tuple[int, int], pool_px: float) -> list[Tensor]:
        """Log energies per wavelength and direction, and how patchy they are per wavelength."""
        pad = _KERNEL_PX // 2
        waves = F.conv2d(F.pad(level, (pad,) * 4, mode="reflect"), self.filters)
        energy = waves[:, 0::2].square() + waves[:, 1::2].square()
        mean_square = read_at_patches(blur(energy, pool_px), size)
        mean = read_at_patches(blur(energy.sqrt(), pool_px), size)
        by_direction = mean_square.unflatten(1, (self.wavelengths, self.directions))
        mirror = by_direction[:, :, (-torch.arange(self.directions)) % self.directions]
        symmetric = torch.log((by_direction + mirror)[:, :, : self.directions // 2 + 1] / 2 + 1e-3)
        patchy = torch.log((mean_square + 1e-4) / (mean.square() + 1e-4))
        patchy = patchy.unflatten(1, (self.wavelengths, self.directions)).mean(dim=2)
        return [symmetric.flatten(1, 2), patchy]


def gabor_pair(wavelength_px: float, angle: float) -> Tensor:
    """(2, 13, 13): an even and an odd wave under a Gaussian, of unit energy together."""
    reach = _KERNEL_PX // 2
    axis = torch.arange(-reach, reach + 1, dtype=torch.float32)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    envelope = torch.exp(-(x**2 + y**2) / (2 * (0.56 * wavelength_px) ** 2))
    phase = 2 * math.pi * (x * math.cos(angle) + y * math.sin(angle)) / wavelength_px
    even = envelope * phase.cos()
    even = even - envelope * (even.sum() / envelope.sum())
    pair = torch.stack([even, envelope * phase.sin()])
    return pair / pair.norm()


def blur(maps: Tensor, sigma_px: float) -> Tensor:
    """A Gaussian over every channel, the border mirrored."""
    reach = int(3 * sigma_px + 0.5)
    weights = torch.exp(-(torch.arange(-reach, reach + 1) ** 2) / (2 * sigma_px**2)).to(maps)
    weights = weights / weights.sum()
    channels = maps.shape[1]
    across = weights.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    padded = F.pad(maps, (reach, reach, 0, 0), mode="reflect")
    maps = F.conv2d(padded, across, groups=channels)
    padded = F.pad(maps, (0, 0, reach, reach), mode="reflect")
    return F.conv2d(padded, across.transpose(2, 3), groups=channels)


def read_at_patches(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Values at the centres of a grid of patches, whatever the resolution: (B, C, *size)."""
    height, width = size
    y = (2 * torch.arange(height) + 1) / height - 1
    x = (2 * torch.arange(width) + 1) / width - 1
    grid = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], dim=-1).to(maps)
    grid = grid[None].expand(len(maps), -1, -1, -1)
    return F.grid_sample(maps, grid, align_corners=False, padding_mode="border")
