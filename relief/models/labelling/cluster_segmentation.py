"""Images to maps of clusters or classes: windows, centroids, enlargement."""

from __future__ import annotations

import torch
from torch import Tensor

from relief.models.codebooks.codebook import Codebook
from relief.ops.resize import resize_image, resize_nearest
from relief.ops.sliding_window import (
    WindowFeatures,
    extract_windows,
    extract_windows_of_all,
    network_size,
)
from relief.schema.geometry import WindowGeometry
from relief.schema.label_spaces import VOID
from relief.schema.parts import Backbone


def window_features(backbone: Backbone, image: Tensor, geometry: WindowGeometry) -> WindowFeatures:
    """The features of one image's windows.

    Args:
        backbone: Already set up.
        image: (3, H, W) float32 in [0, 1], any size.
        geometry: The size the network sees, and its windows.
    """
    resized = _at_network_size(backbone, image[None], geometry)
    return extract_windows(backbone, resized, geometry.window_px, geometry.stride_px)


def window_features_of_all(
    backbone: Backbone, images: Tensor, geometry: WindowGeometry
) -> list[WindowFeatures | None]:
    """The features of the windows of several images, seen together.

    Args:
        backbone: Already set up.
        images: (B, 3, H, W) float32 in [0, 1], any size.
        geometry: As `window_features`.

    Returns:
        What `window_features` gives of each; `None` where features are not finite.
    """
    resized = _at_network_size(backbone, images, geometry)
    return extract_windows_of_all(backbone, resized, geometry.window_px, geometry.stride_px)


def _at_network_size(backbone: Backbone, images: Tensor, geometry: WindowGeometry) -> Tensor:
    size = (images.shape[-2], images.shape[-1])
    return resize_image(images, network_size(size, geometry.short_side_px, backbone.patch_px))


def segment(
    backbone: Backbone, codebook: Codebook, image: Tensor, geometry: WindowGeometry
) -> Tensor:
    """The semantic map of one image at its own size.

    Args:
        backbone: Already set up.
        codebook: Filled.
        image: (3, H, W) float32 in [0, 1].
        geometry: See `WindowGeometry`.

    Returns:
        (H, W) int64: class ids when the codebook knows classes (`oracle_classes`), else clusters.
    """
    features = window_features(backbone, image, geometry)
    return label_pixels(features, codebook, (image.shape[-2], image.shape[-1]))


def label_pixels(features: WindowFeatures, codebook: Codebook, size: tuple[int, int]) -> Tensor:
    """The semantic map of an image from the features of its windows.

    Args:
        features: Of the image's windows.
        codebook: Filled.
        size: The image's own (height, width).

    Returns:
        (*size) int64, as `segment`.
    """
    if codebook.num_classes:
        labels = features.classes(
            codebook.unit_centroids, codebook.class_of_cluster, codebook.num_classes
        )
    else:
        labels = features.clusters(codebook.unit_centroids)
    return resize_nearest(labels[None], size)[0]


def best_stuff(features: WindowFeatures, codebook: Codebook, size: tuple[int, int]) -> Tensor:
    """The stuff that each pixel of an image is most like, whatever thing it is more like.

    Args:
        features: Of the image's windows: one plain look, without scales or a CRF.
        codebook: Filled.
        size: The image's own (height, width).

    Returns:
        (*size) int64 clusters that are no things, or their classes where the codebook knows them;
        -1 where there is no stuff.
    """
    of_cluster = codebook.class_of_cluster if codebook.num_classes else None
    known = torch.arange(len(codebook.centroids), device=codebook.centroids.device)
    category = known if of_cluster is None else of_cluster
    stuff = known[(category >= 0) & ~codebook.thing_categories[category.clamp(min=0)]]
    if not len(stuff):
        return torch.full(size, VOID, device=known.device)
    nearest = features.clusters(codebook.unit_centroids[stuff])
    return resize_nearest(category[stuff][nearest][None], size)[0]
