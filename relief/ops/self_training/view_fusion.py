"""Agreement of several views of one image, seen from each of them.

Araslanov and Roth, "Self-supervised Augmentation Consistency for Adapting Semantic Segmentation",
2021. Coordinates are normalised: -1 and 1 are the outer borders of the image.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

_LEAST_COVERAGE = 0.1
_LEAST_SUM = 1e-3


def view_affines(params: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Affine maps between each view and the image that all views are crops of.

    Args:
        params: (V, 5) float rows: dy and dx of the crop's centre against the image's centre in
            pixels of the flipped image; an angle, which must be 0; 1 / s for a crop whose side is s
            times that of the image; +1, or -1 for a mirrored view.
        size: (height, width) of the image.

    Returns:
        `to_reference` and `from_reference`, (V, 2, 3) each, for `torch.nn.functional.affine_grid`:
        the view resampled to the frame of the image, and the other way round.

    Raises:
        ValueError: An angle is not 0.
    """
    if bool((params[:, 2] != 0).any()):
        msg = "Expected angles of 0: views are crops and mirror images."
        raise ValueError(msg)
    shift_y, shift_x = params[:, 0] * 2 / size[0], params[:, 1] * 2 / size[1]
    side, flip = 1 / params[:, 3], params[:, 4]
    zero = torch.zeros_like(side)
    to_reference = torch.stack(
        (flip / side, zero, -shift_x / side, zero, 1 / side, -shift_y / side), dim=1
    )
    from_reference = torch.stack((flip * side, zero, flip * shift_x, zero, side, shift_y), dim=1)
    return to_reference.reshape(-1, 2, 3), from_reference.reshape(-1, 2, 3)


def average_views(
    probabilities: Tensor,
    to_reference: Tensor,
    from_reference: Tensor,
    padding: Tensor | None = None,
) -> Tensor:
    """Averages the views of one image, weighted by how much of a pixel each of them covers.

    Args:
        probabilities: (V, C, h, w) float, sums to 1 over C.
        to_reference: (V, 2, 3), see `view_affines`.
        from_reference: (V, 2, 3).
        padding: (V, h, w) bool, true where a view shows nothing.

    Returns:
        (V, C, h, w): the average as each view sees it, 0 where no view saw anything.
    """

    def average(seen: Tensor) -> tuple[Tensor, Tensor]:
        total = seen.sum(dim=(0, 1))
        return seen.sum(dim=0) / total.clamp(min=_LEAST_SUM), total > _LEAST_COVERAGE

    return _fused(probabilities, to_reference, from_reference, padding, average)


def least_entropy_view(
    probabilities: Tensor,
    to_reference: Tensor,
    from_reference: Tensor,
    padding: Tensor | None = None,
) -> Tensor:
    """Takes the view of least entropy at each pixel; arguments and result as `average_views`."""

    def surest(seen: Tensor) -> tuple[Tensor, Tensor]:
        covered = seen.sum(dim=1) > _LEAST_COVERAGE
        entropy = -torch.special.xlogy(seen, seen).sum(dim=1)
        best = entropy.masked_fill(~covered, torch.inf).argmin(dim=0)
        index = best[None, None].expand(1, *seen.shape[1:])
        return seen.gather(0, index)[0], covered.any(dim=0)

    return _fused(probabilities, to_reference, from_reference, padding, surest)


def _fused(
    probabilities: Tensor,
    to_reference: Tensor,
    from_reference: Tensor,
    padding: Tensor | None,
    fuse: Callable[[Tensor], tuple[Tensor, Tensor]],
) -> Tensor:
    if padding is not None:
        probabilities = probabilities.masked_fill(padding[:, None], 0.0)
    fused, valid = fuse(_warped(probabilities, to_reference))
    both = torch.cat((fused, valid[None].to(fused)))[None]
    back = _warped(both.expand(len(probabilities), -1, -1, -1), from_reference)
    return back[:, :-1] * back[:, -1:]


def _warped(maps: Tensor, affine: Tensor) -> Tensor:
    """Resamples (V, C, h, w) maps bilinearly, zeros outside."""
    grid = F.affine_grid(affine.to(maps), list(maps.shape), align_corners=False)
    return F.grid_sample(maps, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
