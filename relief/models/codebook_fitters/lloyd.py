"""Our k-means on the device of the features."""

from __future__ import annotations

from torch import Tensor

from relief.ops.kmeans import fit_kmeans


class LloydKMeans:
    """Careful seeding on a subsample, then Lloyd over all features; see `fit_kmeans`.

    Args:
        k: Wanted number of clusters.
        seed: Of everything drawn.
        starts: Seedings tried; the best one goes on.
        max_iterations: Most Lloyd iterations.
    """

    def __init__(self, k: int, seed: int = 0, starts: int = 3, max_iterations: int = 100) -> None:
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
        }

    def fit(self, features: Tensor) -> Tensor:
        """(N, C) float features -> (k', C) float32 means, k' <= k, on the same device."""
        return fit_kmeans(
            features,
            self.k,
            seed=self.seed,
            starts=self.starts,
            max_iterations=self.max_iterations,
        )
