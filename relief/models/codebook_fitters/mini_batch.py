"""scikit-learn's mini-batch k-means with the published parameters, on the CPU."""

from __future__ import annotations

import torch
from sklearn.cluster import MiniBatchKMeans as ScikitMiniBatchKMeans
from torch import Tensor

from relief.ops.kmeans import few_distinct


class MiniBatchKMeans:
    """The published fitter. It works in float64, as the published code did.

    Args:
        k: Wanted number of clusters.
        batch_size: Features per step.
        max_iterations: Most passes over the features.
        starts: Seedings tried.
        seed: Of everything drawn.
    """

    def __init__(
        self,
        k: int,
        batch_size: int = 10000,
        max_iterations: int = 300,
        starts: int = 3,
        seed: int = 42,
    ) -> None:
        self.k = k
        self.batch_size = batch_size
        self.max_iterations = max_iterations
        self.starts = starts
        self.seed = seed

    @property
    def description(self) -> dict[str, object]:
        """Describes what determines the centroids, for manifests."""
        return {
            "fitter": "mini_batch",
            "k": self.k,
            "batch_size": self.batch_size,
            "max_iterations": self.max_iterations,
            "starts": self.starts,
            "seed": self.seed,
        }

    def fit(self, features: Tensor) -> Tensor:
        """(N, C) float features -> (k', C) float32 means, k' <= k, on the same device."""
        few = few_distinct(features, self.k)
        if few is not None:
            return few
        fitted = ScikitMiniBatchKMeans(
            self.k,
            batch_size=self.batch_size,
            max_iter=self.max_iterations,
            n_init=self.starts,
            random_state=self.seed,
        ).fit(features.double().cpu().numpy())
        return torch.from_numpy(fitted.cluster_centers_).float().to(features.device)
