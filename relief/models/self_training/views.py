"""Several crops and mirror images of one image, and where they lie in it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from relief.ops.self_training.view_fusion import view_affines
from relief.schema.errors import UsageError
from relief.schema.ranges import check_at_least


@dataclass(frozen=True)
class CroppedViews:
    """Views of a window of the image: all are mirrored at random, all but the first are crops.

    Resampled by the very affine map that fuses them (the published code cuts whole pixels and maps
    by the fraction).

    Attributes:
        number: Views of each image.
        side: Least and greatest side of a crop by that of the window, at most 1.
        flip_probability: Of mirroring a view.
        window: (height, width) of the part of the image that is looked at, at a random place;
            `None`: all of it.

    Raises:
        UsageError: A number is out of its range.
    """

    number: int = 4
    side: tuple[float, float] = (0.5, 1.0)
    flip_probability: float = 0.5
    window: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        check_at_least(1, number=self.number)
        if not 0 < self.side[0] <= self.side[1] <= 1:
            msg = f"side={list(self.side)}: expected two numbers in (0, 1], rising. Give others."
            raise UsageError(msg)

    def cut(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 3, *window), a window of each image at a random place."""
        if self.window is None:
            return image
        height, width = (min(w, n) for w, n in zip(self.window, image.shape[-2:], strict=True))
        parts = []
        for one in image:
            top = int(torch.randint(one.shape[-2] - height + 1, ()))
            left = int(torch.randint(one.shape[-1] - width + 1, ()))
            parts.append(one[:, top : top + height, left : left + width])
        return torch.stack(parts)

    def draw(self, size: tuple[int, int]) -> Tensor:
        """Draws the views of one window: (number, 5), rows as `view_affines` takes them."""
        low, high = self.side
        side = low + (high - low) * torch.rand(self.number)
        side[0] = 1.0
        room = torch.tensor(size) * (1 - side[:, None])
        shift = room * (torch.rand(self.number, 2) - 0.5)
        mirrored = torch.rand(self.number) < self.flip_probability
        flip = torch.where(mirrored, -1.0, 1.0)
        return torch.stack((shift[:, 0], shift[:, 1], torch.zeros_like(side), 1 / side, flip), 1)


def look(window: Tensor, params: Tensor) -> Tensor:
    """Resamples a window as its views see it.

    Args:
        window: (3, H, W) in [0, 1].
        params: (V, 5), see `CroppedViews.draw`.

    Returns:
        (V, 3, H, W) in [0, 1].
    """
    _, from_reference = view_affines(params.to(window), (window.shape[-2], window.shape[-1]))
    several = window.expand(len(params), -1, -1, -1)
    grid = F.affine_grid(from_reference, list(several.shape), align_corners=False)
    return F.grid_sample(several, grid, mode="bilinear", padding_mode="border", align_corners=False)
