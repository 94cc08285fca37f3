"""The graph of an image's patches by how alike they are, and its second eigenvector.

Shi and Malik, "Normalized cuts and image segmentation", 2000. Flat indices are row * w + column.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.linalg.blas import dsymv
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from torch import Tensor

from relief.schema.errors import ReadError

Floats = NDArray[np.float64]

LEAST_PATCHES = 16
_ALL_ALIKE = 1e-9  # cosines that differ by less: nothing to be parted
_DENSE_BELOW = 100  # patches: a dense solver is as fast and never fails to converge


def cosines(features: Tensor) -> Tensor:
    """Cosine similarity of all pairs of patches.

    Args:
        features: (C, h, w) float; a patch of zeros has similarity 0 to all, itself included.

    Returns:
        (N, N) float64, N = h * w.
    """
    unit = F.normalize(features.detach().flatten(1).double().T, dim=1, eps=1e-12)
    return unit @ unit.T


def binarised(
    similarity: Tensor, threshold: float = 0.15, eps: float = 1e-5, *, binarise: bool = True
) -> Tensor:
    """Edge weights from similarities.

    Args:
        similarity: (N, N) float.
        threshold: Similarities above it become 1.
        eps: What the others become, so that the graph hangs together.
        binarise: `False` keeps similarities above 0 as they are.
    """
    if binarise:
        weights = torch.full_like(similarity, eps)
        return weights.masked_fill_(similarity > threshold, 1.0)
    return torch.where(similarity > 0, similarity, eps)


def binary_affinity(features: Tensor, threshold: float = 0.15, eps: float = 1e-5) -> Tensor:
    """Affinity of patches as MaskCut has it: 1 where the cosine is above a threshold, else `eps`.

    Args:
        features: (C, h, w) float.
        threshold: On the cosine, strict.
        eps: Weight of all other pairs; the diagonal of a patch of zeros too.

    Returns:
        (N, N) float64, symmetric.
    """
    return binarised(cosines(features), threshold, eps)


def second_eigenvector(affinity: Tensor, *, dense: bool = False) -> Tensor:
    """Second smallest generalised eigenvector of (D - A) x = lambda D x.

    Args:
        affinity: (N, N) float, symmetric, all row sums above 0; computed in float64.
        dense: By LAPACK on the whole matrix: the judge, up to 40 times slower.

    Returns:
        (N,) float64 with x' D x = 1; its entry of largest absolute value is positive.

    Raises:
        ValueError: The matrix is not square, or not finite.
    """
    weights = np.ascontiguousarray(affinity.detach().cpu().double().numpy())
    if weights.shape != (len(weights),) * 2 or len(weights) < 2 or not np.isfinite(weights).all():
        msg = f"Expected a finite square matrix of at least 2 rows, got {weights.shape}."
        raise ValueError(msg)
    return torch.from_numpy(eigenpair(PatchGraph(weights, np.ones(len(weights)), 0.0), dense)[1])


@dataclass(frozen=True)
class PatchGraph:
    """Edge weights (N, N) in which painted patches are like nothing, without a copy of them."""

    affinity: Floats
    kept: Floats  # (N,) 0 where painted, else 1
    eps: float

    def times(self, vector: Floats) -> Floats:
        """The matrix with the rows and columns of painted patches at `eps`, times a vector."""
        # The upper triangle is read only: half of the bytes.
        similar = dsymv(1.0, self.affinity.T, self.kept * vector)
        others = vector.sum() - self.kept * (self.kept @ vector)
        return np.asarray(self.kept * similar + self.eps * others)

    def whole(self) -> Floats:
        """That matrix."""
        both = self.kept[:, None] * self.kept[None] > 0
        return np.where(both, self.affinity, self.eps)


def eigenpair(graph: PatchGraph, dense: bool = False) -> tuple[float, Floats]:
    """The second smallest eigenvalue and its vector, see `second_eigenvector`."""
    size = len(graph.affinity)
    degree = graph.times(np.ones(size))
    if dense or size < _DENSE_BELOW:
        laplacian = np.diag(degree) - graph.whole()
        values, vectors = eigh(laplacian, np.diag(degree), subset_by_index=[0, 1])
        eigenvalue, vector = float(values[1]), vectors[:, 1]
    else:
        eigenvalue, vector = _by_lanczos(graph, 1 / np.sqrt(degree))
    vector = vector / np.sqrt((degree * vector**2).sum())
    return eigenvalue, vector * np.sign(vector[np.abs(vector).argmax()])


def _by_lanczos(graph: PatchGraph, root: Floats) -> tuple[float, Floats]:
    start = np.cos(np.arange(len(root)))  # any fixed vector: the same answer every time
    normalised = LinearOperator(
        (len(root), len(root)),
        matvec=lambda vector: root * graph.times(root * vector.reshape(-1)),
        dtype=np.float64,
    )
    try:
        values, vectors = eigsh(normalised, k=2, which="LA", v0=start, tol=0)
    except ArpackNoConvergence as error:
        msg = "its patches cannot be parted: no eigenvector was found. Leave the image out."
        raise ReadError(msg) from error
    second = int(np.argsort(values)[-2])
    return 1 - float(values[second]), vectors[:, second] * root


def has_objects(similarity: Tensor, size: tuple[int, int]) -> bool:
    """Whether there is anything to cut: at least 16 patches that are not all alike."""
    spread = float(similarity.max() - similarity.min())
    return size[0] * size[1] >= LEAST_PATCHES and spread > _ALL_ALIKE


def refuse_not_finite(features: Tensor) -> None:
    """Refuses features with NaN or infinite values; raises `ReadError`."""
    if not bool(torch.isfinite(features).all()):
        msg = "its features are not finite. Check the image and the backbone."
        raise ReadError(msg)
