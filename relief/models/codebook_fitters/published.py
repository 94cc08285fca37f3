"""A fitter that fits nothing: centroids that were learned elsewhere."""

from __future__ import annotations

from torch import Tensor

from relief.models.weights.files import load_state_dict, sha256_of
from relief.models.weights.sources import CAUSE_PROBE
from relief.schema.errors import WeightsError


class PublishedProbe:
    """The cluster probe of CAUSE in place of k-means: 27 centroids learned with the mean head.

    On the seam of the fitters, so that things and groups are still decided from images, and
    nothing here knows classes.

    Args:
        path: `cluster_tr.pth` or its conversion.
        name: Which tensor of the file.
        k: How many centroids it has.
        supervision: Which labels the centroids depended on, for the manifest; empty: none.
    """

    def __init__(
        self, path: str, name: str = "cluster_probe", k: int = 27, supervision: str = CAUSE_PROBE
    ) -> None:
        self.path = path
        self.name = name
        self.k = k
        self.supervision = (supervision,) if supervision else ()
        self._centroids: Tensor | None = None

    @property
    def description(self) -> dict[str, object]:
        """Describes what determines the centroids, for manifests."""
        return {"fitter": "published_probe", "k": self.k, "sha256": sha256_of(self.path)}

    @property
    def sources(self) -> dict[str, str]:
        """SHA-256 of the file, for `Codebook.expect`."""
        return {self.name: sha256_of(self.path)}

    def setup(self) -> None:
        """Reads the file once; a run may ask for it before any work.

        Raises:
            WeightsError: The file is missing or damaged, or holds another number of centroids.
        """
        if self._centroids is not None:
            return
        centroids = load_state_dict(self.path).get(self.name)
        if centroids is None:
            msg = f"cannot load codebook: {self.path} (no {self.name}). Give cluster_tr.pth."
            raise WeightsError(msg)
        if centroids.ndim != 2 or len(centroids) != self.k:
            raise self._misfit(centroids, f"({self.k}, channels)")
        self._centroids = centroids.float()

    def fit(self, features: Tensor) -> Tensor:
        """(N, C) features, of which only the channels matter -> (k, C) float32 centroids.

        Raises:
            WeightsError: As `setup`, or the centroids have other channels.
        """
        self.setup()
        assert self._centroids is not None
        if self._centroids.shape[1] != features.shape[1]:
            raise self._misfit(self._centroids, f"({self.k}, {features.shape[1]})")
        return self._centroids.to(features.device)

    def _misfit(self, centroids: Tensor, expected: str) -> WeightsError:
        return WeightsError(
            f"cannot load codebook: {self.path} ({self.name} is {tuple(centroids.shape)}, "
            f"expected {expected}). Give the probe of these features."
        )
