"""Sure where codebooks of other k-means seeds choose a centroid that is much the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from relief.models.codebooks.codebook import Codebook
from relief.models.confidence.evidence import Confidence, Evidence
from relief.schema.errors import UsageError
from relief.schema.observation import FEATURES


class SeedAgreement(Confidence):
    """The cosine between the centroid that labels a pixel and those that other codebooks choose.

    Clusters of two codebooks need no matching then: of a pair that halves what the other one holds
    together the centroids differ a little, of a pair that holds something else much.

    Args:
        codebooks: Files `codebook.safetensors` of runs on the same features, such as those of
            other k-means seeds.

    Raises:
        UsageError: There is none.
    """

    needs = frozenset({FEATURES})

    def __init__(self, codebooks: Sequence[str]) -> None:
        if not codebooks:
            msg = "no codebook to agree with: codebooks is empty. Name one of another seed."
            raise UsageError(msg)
        self.paths = [Path(path) for path in codebooks]
        self._others = list[Codebook]()

    def setup(self, dim: int) -> None:
        """Reads the codebooks.

        Raises:
            WeightsError: One cannot be read, or is of other features.
        """
        self._others = []
        for path in self.paths:
            other = Codebook()
            other.load(path, dim)
            self._others.append(other)

    @property
    def sources(self) -> Mapping[str, str]:
        """SHA-256 of what the codebooks decide, in their order."""
        return {f"codebook_{i}": other.sha256() for i, other in enumerate(self._others, 1)}

    def of(self, evidence: Evidence) -> Tensor:
        """Compares the nearest centroids on the features' grid, enlarged; the mean over codebooks.

        Raises:
            ValueError: There are no features.
        """
        evidence.observation.require(self.needs, type(self).__name__)
        features = evidence.observation.features
        assert features is not None  # required
        own = _nearest(evidence.codebook, features[0])
        alike = [(own * _nearest(other, features[0])).sum(dim=0) for other in self._others]
        return evidence.enlarged(torch.stack(alike).mean(dim=0).clamp(0, 1))


def _nearest(codebook: Codebook, features: Tensor) -> Tensor:
    """(C, hf, wf) unit centroid that is nearest to each of the features."""
    centroids = codebook.unit_centroids.to(features)
    best = torch.einsum("kc,chw->khw", centroids, features).argmax(dim=0)
    return centroids[best].permute(2, 0, 1)
