"""Sure where features are near to a centroid."""

from __future__ import annotations

from torch import Tensor

from relief.models.confidence.evidence import Confidence, Evidence
from relief.schema.observation import FEATURES


class NearestCluster(Confidence):
    """The cosine of each pixel's features to the nearest centroid; 0 where it is negative."""

    needs = frozenset({FEATURES})

    def of(self, evidence: Evidence) -> Tensor:
        """Takes the greatest cosine on the features' grid, enlarged."""
        return evidence.enlarged(evidence.similarities().amax(dim=0).clamp(0, 1))
