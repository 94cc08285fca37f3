"""Features of an image larger than the network's window.

A window's features are enlarged bilinearly to the window's pixels, and overlapping windows are
averaged: `sliding_window_features` says it plainly, `extract_windows` gives the same features
without ever building a map of them at label size (`relief.ops.window_features`).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from relief.ops.window_features import WindowFeatures, enlargement_weights
from relief.schema.errors import ReadError
from relief.schema.parts import Backbone

DEFAULT_WINDOW_PX = 322
DEFAULT_STRIDE_PX = 161
WINDOWS_AT_ONCE = 8


def network_size(size: tuple[int, int], short_side_px: int, patch_px: int) -> tuple[int, int]:
    """The size at which the network sees an image: floor(round(side * s / short) / p) * p.

    Args:
        size: The image's (height, width).
        short_side_px: s, what the shorter side becomes before rounding.
        patch_px: p, the network's patch.

    Returns:
        (height, width), multiples of `patch_px`, at least one patch.
    """
    height, width = (
        max(1, round(side * short_side_px / min(size)) // patch_px) * patch_px for side in size
    )
    return height, width


def window_starts(side_px: int, window_px: int, stride_px: int) -> list[int]:
    """0, stride, ... while below side - window, then side - window; only 0 for a short side.

    Raises:
        ValueError: The stride is not in 1..window, so that some pixels would lie in no window.
    """
    if not 1 <= stride_px <= window_px:
        msg = f"Expected `stride_px` in 1..{window_px}, got {stride_px}."
        raise ValueError(msg)
    last = max(0, side_px - window_px)
    return [*range(0, last, stride_px), last]


def sliding_window_features(
    backbone: Backbone,
    image: Tensor,
    window_px: int = DEFAULT_WINDOW_PX,
    stride_px: int = DEFAULT_STRIDE_PX,
) -> Tensor:
    """The features of every pixel, written down plainly: the judge of `WindowFeatures`.

    Args:
        backbone: (B, 3, h, w) in [0, 1] to (B, C, h / patch, w / patch).
        image: (B, 3, H, W) float32 in [0, 1], H and W multiples of the patch.
        window_px: Side of the square window; sides of the image that are shorter limit it.
        stride_px: Distance of windows.

    Returns:
        (B, C, H, W) float32, the mean over windows.
    """
    height, width = image.shape[-2:]
    total = image.new_zeros((image.shape[0], backbone.dim, height, width))
    count = image.new_zeros((1, 1, height, width))
    for top in window_starts(height, window_px, stride_px):
        for left in window_starts(width, window_px, stride_px):
            window = image[..., top : top + window_px, left : left + window_px]
            size = (window.shape[-2], window.shape[-1])
            features = F.interpolate(backbone(window), size, mode="bilinear", align_corners=False)
            total[..., top : top + size[0], left : left + size[1]] += features
            count[..., top : top + size[0], left : left + size[1]] += 1
    return total / count


def extract_windows(
    backbone: Backbone,
    image: Tensor,
    window_px: int = DEFAULT_WINDOW_PX,
    stride_px: int = DEFAULT_STRIDE_PX,
) -> WindowFeatures:
    """Runs the backbone on all windows of one image, cut where the image lives.

    Args:
        backbone: See `sliding_window_features`.
        image: (1, 3, H, W) float32 in [0, 1], H and W multiples of the backbone's patch.
        window_px: Side of the square window; sides of the image that are shorter limit it.
        stride_px: Distance of windows.

    Returns:
        The windows' features and where they lie.

    Raises:
        ValueError: `image` is not one image.
        ReadError: Features are not finite. Without this, NaN would win every comparison and
            label the image with cluster 0.
    """
    if image.ndim != 4 or image.shape[0] != 1:
        msg = f"Expected `image` to be (1, 3, H, W), got {tuple(image.shape)}."
        raise ValueError(msg)
    (features,) = extract_windows_of_all(backbone, image, window_px, stride_px)
    if features is None:
        msg = (
            f"features are not finite: {type(backbone).__name__} gives NaN or infinite values for "
            "this image. Leave it out, or use precision float32."
        )
        raise ReadError(msg)
    return features


def extract_windows_of_all(
    backbone: Backbone,
    images: Tensor,
    window_px: int = DEFAULT_WINDOW_PX,
    stride_px: int = DEFAULT_STRIDE_PX,
) -> list[WindowFeatures | None]:
    """Runs the backbone on the windows of several images together; a device is waited for once.

    Args:
        backbone: See `sliding_window_features`; sees at most eight windows per image at once.
        images: (B, 3, H, W) float32 in [0, 1], H and W multiples of the backbone's patch.
        window_px: As `extract_windows`.
        stride_px: As `extract_windows`.

    Returns:
        What `extract_windows` gives of each image; `None` where features are not finite.
    """
    height, width = images.shape[-2:]
    tops = window_starts(height, window_px, stride_px)
    lefts = window_starts(width, window_px, stride_px)
    windows = [
        image[:, top : top + window_px, left : left + window_px]
        for image in images
        for top in tops
        for left in lefts
    ]
    at_once = WINDOWS_AT_ONCE * len(images)
    features = torch.cat(
        [backbone(torch.stack(windows[i : i + at_once])) for i in range(0, len(windows), at_once)]
    ).float()
    channels, rows, columns = features.shape[1:]
    features = features.view(len(images), len(tops), len(lefts), channels, rows, columns)
    is_finite = torch.isfinite(features).flatten(1).all(dim=1).tolist()  # the few tokens
    mosaics = features.permute(0, 3, 1, 4, 2, 5).reshape(
        len(images), channels, len(tops) * rows, len(lefts) * columns
    )
    row_weights = enlargement_weights(tops, rows, min(window_px, height), height)
    column_weights = enlargement_weights(lefts, columns, min(window_px, width), width)
    return [
        WindowFeatures(mosaic, row_weights, column_weights) if finite else None
        for mosaic, finite in zip(mosaics, is_finite, strict=True)
    ]
