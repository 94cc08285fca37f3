"""Codebooks that others published, in place of a fit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from relief.models.codebooks.class_votes import groups_of_classes, missing_classes
from relief.models.codebooks.codebook import Codebook
from relief.models.weights.files import load_state_dict, sha256_of
from relief.schema.errors import WeightsError
from relief.schema.label_spaces import CITYSCAPES_19, VOID

VOTE_OF_GROUND_TRUTH = "clusters are named by a vote of Cityscapes validation ground truth"
FIT_ON_VALIDATION = "centroids were fitted on Cityscapes validation pixels that are not void"


@dataclass(frozen=True)
class PublishedCentroids:
    """The content of `kmeans_centroids.npz`.

    Attributes:
        centroids: (k, C) float32.
        class_of_cluster: (k,) int64 train ids 0..18, -1 for clusters of no class.
    """

    centroids: Tensor
    class_of_cluster: Tensor

    @property
    def missing_classes(self) -> tuple[str, ...]:
        """Names of the classes that no cluster stands for."""
        return tuple(missing_classes(self.class_of_cluster, CITYSCAPES_19))


def read_published_centroids(path: str | Path) -> PublishedCentroids:
    """Reads the published `kmeans_centroids.npz`: `centroids`, `cluster_to_class`.

    Raises:
        WeightsError: The file is missing, damaged, or holds something else.
    """
    arrays = load_state_dict(path)
    centroids, classes = arrays.get("centroids"), arrays.get("cluster_to_class")
    if (
        (centroids is None or classes is None)
        or centroids.ndim != 2
        or classes.shape != centroids.shape[:1]
    ):
        msg = (
            f"cannot load codebook: {path} (no centroids with cluster_to_class). "
            "Give the published kmeans_centroids.npz."
        )
        raise WeightsError(msg)
    named = classes.long()
    named = torch.where(named < CITYSCAPES_19.num_classes, named, torch.full_like(named, VOID))
    return PublishedCentroids(centroids.float(), named)


class PublishedKMeans(Codebook):
    """The published k-means codebook with its classes: labels come out as Cityscapes classes.

    Its file is read where a codebook would be read, unless another one is given.

    Args:
        path: `kmeans_centroids.npz`.
        k: How many centroids it has.
    """

    def __init__(self, path: str, k: int = 80) -> None:
        super().__init__(k)
        self.path = path

    def read_if_given(self, path: Path | str | None, dim: int | None = None) -> None:
        """Fills the codebook from `path`, or from the published file where that is `None`.

        Raises:
            WeightsError: See `read_published_centroids`; or other channels or clusters.
        """
        if path is not None:
            super().read_if_given(path, dim)
            return
        published = read_published_centroids(self.path)
        shape = tuple(published.centroids.shape)
        if shape[0] != self.wanted_k or dim not in (None, shape[1]):
            msg = (
                f"cannot load codebook: {self.path} ({shape[0]} centroids of {shape[1]} channels, "
                f"expected {self.wanted_k} of {dim or shape[1]}). Give the codebook of these "
                "features."
            )
            raise WeightsError(msg)
        self._fill_from(published)
        self.sources = {"centroids": sha256_of(self.path)}

    def load(self, path: Path | str, dim: int | None = None) -> None:
        """Reads a codebook of a run, which no longer names the published file as its source."""
        super().load(path, dim)
        self.sources = {}

    def _fill_from(self, published: PublishedCentroids) -> None:
        named = published.class_of_cluster
        self.fill(
            published.centroids,
            *groups_of_classes(named, CITYSCAPES_19),
            named,
            {
                "classes": CITYSCAPES_19.name,
                "source": Path(self.path).name,
                "sha256": sha256_of(self.path),
                "missing_classes": list(published.missing_classes),
                "notes": _notes(published),
                "supervision": [FIT_ON_VALIDATION, VOTE_OF_GROUND_TRUTH],
            },
        )


def _notes(published: PublishedCentroids) -> list[str]:
    missing = published.missing_classes
    return [f"no cluster stands for {', '.join(missing)}"] if missing else []
