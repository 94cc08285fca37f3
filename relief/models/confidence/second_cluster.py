"""Sure where the second centroid is far behind the first."""

from __future__ import annotations

import torch
from torch import Tensor

from relief.models.confidence.evidence import Confidence, Evidence
from relief.schema.observation import FEATURES


class SecondCluster(Confidence):
    """How much nearer the nearest centroid is than the second: 1 - (1 - cos_1) / (1 - cos_2).

    That is one less the ratio of the squared distances of unit vectors: 0 halfway between two
    clusters, 1 at a centroid, and 1 where there is one cluster only.
    """

    needs = frozenset({FEATURES})

    def of(self, evidence: Evidence) -> Tensor:
        """Compares the two greatest cosines on the features' grid, enlarged."""
        similarities = evidence.similarities()
        if len(similarities) < 2:
            return evidence.enlarged(torch.ones_like(similarities[0]))
        first, second = similarities.topk(2, dim=0).values
        ratio = (1 - first).clamp(min=0) / (1 - second).clamp(min=_LEAST)
        return evidence.enlarged((1 - ratio).clamp(0, 1))


_LEAST = 1e-6  # two centroids that are the same: nothing tells them apart
