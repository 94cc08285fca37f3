"""Features to one map per label: what several scales average and a CRF refines.

The plain path never builds these maps (`WindowFeatures.clusters`). They are k x h x w at the size
the network sees, so they belong to the published 322 px, or to few labels.
"""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor

from relief.models.codebooks.codebook import Codebook
from relief.ops.sliding_window import WindowFeatures

_ROWS_AT_ONCE = 46


class CosineReadout:
    """Cosines to the centroids; with classes the highest cosine among a class's clusters.

    A class without a cluster has 0, as published.

    Args:
        sharpness: Of the softmax that makes probabilities of them; published for k-means: 5.
    """

    def __init__(self, sharpness: float = 5.0) -> None:
        self.sharpness = sharpness

    def maps(self, features: WindowFeatures, codebook: Codebook) -> Tensor:
        """(K, h, w) float32: K = classes where the codebook knows them, else clusters."""
        parts = []
        columns = features.column_weights.to(features.mosaic)
        for rows in features.row_weights.to(features.mosaic).split(_ROWS_AT_ONCE):
            parts.append(of_categories(rows @ features.mosaic @ columns.T, codebook))
        return torch.cat(parts, dim=1)

    def probabilities(self, maps: Tensor) -> Tensor:
        """(K, h, w) -> the same shape, sums over K are 1."""
        return (self.sharpness * maps).softmax(dim=0)


class ProbeReadout:
    """Log-probabilities of every token, then enlarged: the published 27-centroid probe.

    Args:
        sharpness: Of the softmax over cosines, and again of the one that makes probabilities for
            a CRF: the published code multiplies by 3 twice.
    """

    def __init__(self, sharpness: float = 3.0) -> None:
        self.sharpness = sharpness

    def maps(self, features: WindowFeatures, codebook: Codebook) -> Tensor:
        """(k, h, w) float32, means over windows of log-probabilities of the clusters."""
        centroids = codebook.unit_centroids.to(features.mosaic)
        tokens = F.normalize(features.mosaic, dim=0)
        cosines = torch.einsum("kc,chw->khw", centroids, tokens)
        log_probabilities = (self.sharpness * cosines).log_softmax(dim=0)
        return dataclasses.replace(features, mosaic=log_probabilities).dense()

    def probabilities(self, maps: Tensor) -> Tensor:
        """(k, h, w) -> the same shape, sums over k are 1."""
        return (self.sharpness * maps).softmax(dim=0)


def of_categories(features: Tensor, codebook: Codebook) -> Tensor:
    """Computes cosines to categories: classes where the codebook knows them, else clusters.

    Args:
        features: (C, h, w), of any length.
        codebook: Filled.

    Returns:
        (num_categories, h, w) float32; the highest cosine among a class's clusters, 0 for a class
        without one.
    """
    centroids = codebook.unit_centroids.to(features)
    cosines = torch.einsum("kc,chw->khw", centroids, F.normalize(features, dim=0))
    return _of_classes(cosines, codebook) if codebook.num_classes else cosines


def _of_classes(cosines: Tensor, codebook: Codebook) -> Tensor:
    """(k, h, w) of clusters -> (classes, h, w), 0 for a class without cluster."""
    class_of_cluster = codebook.class_of_cluster.to(cosines.device)
    maps = []
    for class_id in range(codebook.num_classes):
        own = cosines[class_of_cluster == class_id]
        maps.append(own.amax(dim=0) if len(own) else torch.zeros_like(cosines[0]))
    return torch.stack(maps)
