"""Which tokens of a grid take part in a step of CAUSE's training, and which of them are kept."""

from __future__ import annotations

import torch
from torch import Tensor

TILE = 4  # places along a side


def tokens_per_image(size: tuple[int, int]) -> int:
    """Returns how many whole tiles of 4 x 4 a grid (h, w) has."""
    return (size[0] // TILE) * (size[1] // TILE)


def tile_tokens(order: Tensor, size: tuple[int, int]) -> Tensor:
    """Takes one place of every tile of 4 x 4, from the top left; what is left over is never drawn.

    Args:
        order: (B, tiles) int64 in 0..15: the place within each tile, row first.
        size: (h, w) of the grid.

    Returns:
        (B, tiles) int64 flat positions in the grid, tiles row first.
    """
    rows, columns = size[0] // TILE, size[1] // TILE
    tile = torch.arange(rows * columns, device=order.device)
    row = tile // max(columns, 1) * TILE + order // TILE
    column = tile % max(columns, 1) * TILE + order % TILE
    return row * size[1] + column


def draw_half_of_each_code(codes: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draws of the m positions of every code floor(m / 2).

    Args:
        codes: Any shape, int64.
        generator: On the CPU; torch's global one unless given.

    Returns:
        (n,) int64 flat positions, codes ascending.
    """
    flat = codes.flatten()
    shuffled = torch.randperm(len(flat), generator=generator).to(flat.device)
    order = shuffled[flat[shuffled].argsort(stable=True)]
    _, counts = flat[order].unique_consecutive(return_counts=True)
    first = (counts.cumsum(0) - counts).repeat_interleave(counts)
    number = torch.arange(len(order), device=order.device) - first
    return order[number < (counts // 2).repeat_interleave(counts)]
