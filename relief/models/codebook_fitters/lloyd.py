"""Our k-means on the device of the features."""

from __future__ import annotations

import logging

from torch import Tensor

from relief.ops.kmeans import fit_kmeans
from relief.schema.ranges import check_at_least

log = logging.getLogger("relief")


class LloydKMeans:
    """Careful seeding on a subsample, then Lloyd over all features; see `fit_kmeans`.

    Args:
        k: Wanted number of clusters.
        seed: Of everything drawn.
        starts: Seedings tried; the best one goes on.
        max_iterations: Most Lloyd iterations.
        features_per_cluster: Few features make fewer clusters: one for so many of them, at least
            two. `None`: always k.

    Raises:
        UsageError: A number is out of its range.
    """

    def __init__(
        self,
        k: int,
        seed: int = 0,
        starts: int = 3,
        max_iterations: int = 100,
        features_per_cluster: int | None = None,
    ) -> None:
        check_at_least(1, features_per_cluster=features_per_cluster)
        self.features_per_cluster = features_per_cluster
        self.k = k
        self.seed = seed
        self.starts = starts
        self.max_iterations = max_iterations

    @property
    def description(self) -> dict[str, object]:
        """Describes what determines the centroids, for manifests."""
        return {
            "fitter": "lloyd",
            "k": self.k,
            "seed": self.seed,
            "starts": self.starts,
            "max_iterations": self.max_iterations,
            **(
                {"features_per_cluster": self.features_per_cluster}
                if self.features_per_cluster
                else {}
            ),
        }

    def fit(self, features: Tensor) -> Tensor:
        """(N, C) float features -> (k', C) float32 means, k' <= k, on the same device."""
        k = self.k
        if self.features_per_cluster is not None:
            k = min(k, max(2, len(features) // self.features_per_cluster))
        if k < self.k:
            log.info(
                "%d clusters in place of %d: the images give %d features, %d for each cluster",
                *(k, self.k, len(features), self.features_per_cluster),
            )
        return fit_kmeans(
            features,
            k,
            seed=self.seed,
            starts=self.starts,
            max_iterations=self.max_iterations,
        )
