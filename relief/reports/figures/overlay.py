"""Maps as pictures: ids, instances, depth and its edges, features; all (H, W, 3) uint8 RGB."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relief.schema.categories import cluster_color
from relief.schema.label_spaces import VOID

Picture = NDArray[np.uint8]

VOID_COLOR = (24, 26, 30)
_CONTOUR_COLOR = (255, 255, 255)
_EDGE_COLOR = (255, 176, 32)
_WITHOUT_INSTANCE_COLOR = (214, 96, 77)
_BACKGROUND = (30, 33, 40)
_STUFF_OPACITY = 0.5
_INSTANCE_OPACITY = 0.72
_GOLDEN_TURN = 0.618034  # neighbouring numbers get shades far apart


def palette_of(colors: Sequence[Sequence[int]]) -> Picture:
    """Colours by id as (K + 1, 3) uint8; the last row, read by id -1, is the colour of void."""
    return np.array([*map(tuple, colors), VOID_COLOR], dtype=np.uint8)


def as_picture(image: Tensor) -> Picture:
    """(3, H, W) uint8 as (H, W, 3)."""
    return np.ascontiguousarray(image.cpu().permute(1, 2, 0).numpy())


def paint_ids(ids: Tensor, palette: Picture) -> Picture:
    """(H, W) int64 ids in [-1, K) in the colours of `palette_of`."""
    return np.asarray(palette[ids.cpu().numpy()])


def paint_panoptic(panoptic: Tensor, palette: Picture, image: Picture) -> Picture:
    """Categories over a photograph; instances stand out, each in its own shade and outlined.

    Args:
        panoptic: (H, W, 2) int64 (category, instance); void is the photograph darkened.
        palette: Of the categories, as `palette_of` makes it.
        image: The photograph at the same size.
    """
    category, instance = (part.numpy() for part in panoptic.cpu().unbind(-1))
    has_instance = (instance > 0)[..., None]
    shade = 0.75 + 0.5 * ((instance[..., None] * _GOLDEN_TURN) % 1.0)
    colors = palette[category] * np.where(has_instance, shade, 1.0)
    opacity = np.where(has_instance, _INSTANCE_OPACITY, _STUFF_OPACITY)
    mixed = image * (1 - opacity) + colors.clip(0, 255) * opacity
    return outline(mixed.astype(np.uint8), panoptic[..., 1])


def paint_instances(panoptic: Tensor, is_thing: Tensor, image: Picture) -> Picture:
    """Each instance in its own colour on the dimmed photograph, outlined.

    Thing pixels that no instance covers are reddish.

    Args:
        panoptic: (H, W, 2) int64 (category, instance).
        is_thing: (K,) bool.
        image: The photograph at the same size.
    """
    category, instance = panoptic.cpu().unbind(-1)
    gray = image.mean(axis=-1, keepdims=True) * 0.35 + 20
    colors = [_WITHOUT_INSTANCE_COLOR, *map(cluster_color, range(int(instance.max()) + 1))]
    things = is_thing.cpu()[category.clamp(min=0)] & (category != VOID)
    opacity = np.where(instance.numpy() > 0, 0.85, np.where(things.numpy(), 0.6, 0.0))[..., None]
    paint = np.array(colors, dtype=np.float32)[(instance + (instance > 0)).numpy()]
    return outline((gray * (1 - opacity) + paint * opacity).astype(np.uint8), instance)


def outline(picture: Picture, instance: Tensor) -> Picture:
    """Draws white lines between instances, and between instances and the rest."""
    ids = instance.cpu().numpy()
    border = np.zeros(ids.shape, dtype=bool)
    border[:, 1:] |= ids[:, 1:] != ids[:, :-1]
    border[1:] |= ids[1:] != ids[:-1]
    outlined = picture.copy()
    outlined[border] = _CONTOUR_COLOR
    return outlined


def paint_depth(depth: Tensor) -> Picture:
    """(1, H, W) depth in [0, 1] in colours: near is bright, far is dark."""
    near = 1 - depth[0].clamp(0, 1).cpu().numpy()
    colors = matplotlib.colormaps["inferno"](near)[..., :3]
    return (colors * 255).round().astype(np.uint8)


def paint_edges(magnitude: Tensor, threshold: float) -> Picture:
    """(1, H, W) gradient magnitude in gray, what lies above the threshold in orange."""
    strength = (magnitude[0].cpu().numpy() / (2 * threshold)).clip(0, 1)[..., None]
    gray = np.array(_BACKGROUND) * (1 - strength) + 170 * strength
    is_edge = magnitude.cpu().numpy()[0] > threshold
    return np.where(is_edge[..., None], np.array(_EDGE_COLOR), gray).astype(np.uint8)


def principal_axes(features: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """The three main directions of some feature maps together, so that colours mean the same.

    Args:
        features: (C, h, w) each.

    Returns:
        Mean (C,) and axes (C, 3), float32; the largest entry of each axis is positive.
    """
    rows = torch.cat([one.flatten(1).T.float().cpu() for one in features])
    mean = rows.mean(dim=0)
    covariance = (rows - mean).T @ (rows - mean)
    axes = torch.linalg.eigh(covariance.double()).eigenvectors.flip(-1)[:, :3].float()
    largest = axes.abs().argmax(dim=0)
    return mean, axes * axes[largest, torch.arange(axes.shape[1])].sign()


def paint_features(features: Tensor, mean: Tensor, axes: Tensor) -> Picture:
    """(C, h, w) features as (h, w, 3): the principal components as red, green and blue."""
    height, width = features.shape[1:]
    components = (features.flatten(1).T.float().cpu() - mean) @ axes
    low, high = components.quantile(torch.tensor([0.01, 0.99]), dim=0)
    colors = ((components - low) / (high - low).clamp(min=1e-12)).clamp(0, 1) * 255
    picture = np.zeros((height, width, 3), dtype=np.uint8)
    picture[..., : axes.shape[1]] = colors.reshape(height, width, -1).numpy().round()
    return picture
