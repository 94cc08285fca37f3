"""Averaged features of overlapping windows, and label maps from them, kept as small as the tokens.

Enlarging a window's tokens and averaging windows is linear and acts on rows and columns apart.
So the tokens of all windows stay side by side in one mosaic, and any pixel, or the mean over any
block of pixels, is reached with one matrix for the rows and one for the columns. Similarities to
centroids are linear too: they are computed on the tokens and enlarged, tile by tile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

MAX_SIMILARITY_BYTES = 256 * 2**20
_TILE_PX = 161


def enlargement_weights(starts: list[int], tokens: int, window_px: int, side_px: int) -> Tensor:
    """Computes the share of each window's tokens in each pixel along one axis, windows averaged.

    Args:
        starts: Where the windows begin.
        tokens: Tokens of one window along the axis.
        window_px: Length of a window.
        side_px: Length of the image.

    Returns:
        (side_px, windows * tokens) float32; rows sum to 1.
    """
    identity = torch.eye(tokens)[None]
    enlarged = F.interpolate(identity, window_px, mode="linear", align_corners=False)[0].T
    weights = torch.zeros(side_px, len(starts) * tokens)
    for i, start in enumerate(starts):
        weights[start : start + window_px, i * tokens : (i + 1) * tokens] = enlarged
    return weights / weights.sum(dim=1, keepdim=True)


@dataclass(frozen=True)
class WindowFeatures:
    """The features of one image's windows: small, and enough to reach every pixel.

    Attributes:
        mosaic: (C, rows, columns) float32, the tokens of all windows side by side.
        row_weights: (H, rows) on the CPU, see `enlargement_weights`.
        column_weights: (W, columns) on the CPU.
    """

    mosaic: Tensor
    row_weights: Tensor
    column_weights: Tensor

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the image the windows were cut from."""
        return self.row_weights.shape[0], self.column_weights.shape[0]

    def dense(self) -> Tensor:
        """(C, H, W) float32: what `sliding_window_features` says. For few channels only."""
        rows, columns = self.row_weights.to(self.mosaic), self.column_weights.to(self.mosaic)
        return rows @ self.mosaic @ columns.T

    def grid(self, size: tuple[int, int]) -> Tensor:
        """(C, *size) float32: `adaptive_avg_pool2d` of the dense map, without building it."""
        rows = F.adaptive_avg_pool1d(self.row_weights.T, size[0]).T
        columns = F.adaptive_avg_pool1d(self.column_weights.T, size[1])
        return rows.to(self.mosaic) @ (self.mosaic @ columns.to(self.mosaic))

    def clusters(self, centroids: Tensor, max_bytes: int = MAX_SIMILARITY_BYTES) -> Tensor:
        """The most similar centroid of every pixel.

        A pixel's own norm scales all its cosines alike, so that it is never computed.

        Args:
            centroids: (k, C) unit rows.
            max_bytes: Bound of the similarities held at once; see `_best_centroids`.

        Returns:
            (H, W) int64 in 0..k-1.
        """
        labels, _ = self._best_centroids(centroids, max_bytes)
        return labels

    def classes(
        self,
        centroids: Tensor,
        class_of_cluster: Tensor,
        num_classes: int,
        max_bytes: int = MAX_SIMILARITY_BYTES,
    ) -> Tensor:
        """The class of every pixel: a class is as similar as the nearest of its clusters.

        A class without a cluster has similarity 0, as published: where all others are negative
        the first such class wins.

        Args:
            centroids: (k, C) unit rows.
            class_of_cluster: (k,) int64, -1 for clusters that stand for no class.
            num_classes: Number of classes.
            max_bytes: As for `clusters`.

        Returns:
            (H, W) int64 class ids.
        """
        class_of_cluster = class_of_cluster.to(self.mosaic.device)
        named = torch.nonzero(class_of_cluster >= 0).flatten()
        class_of_named = class_of_cluster[named]
        best, similarity = self._best_centroids(centroids[named.to(centroids.device)], max_bytes)
        classes = class_of_named[best]
        absent = sorted(set(range(num_classes)) - set(class_of_named.tolist()))
        return torch.where(similarity < 0, absent[0], classes) if absent else classes

    def _best_centroids(self, centroids: Tensor, max_bytes: int) -> tuple[Tensor, Tensor]:
        """The index of the best centroid and the unnormalised similarity to it, (H, W) each.

        Works tile by tile, because the weights of a tile's pixels are 0 for most tokens; in
        blocks of centroids when the similarities of one tile would take more than `max_bytes`.
        """
        similarities = torch.einsum("kc,crs->krs", centroids.to(self.mosaic), self.mosaic)
        best = torch.empty(self.size, dtype=torch.int64, device=self.mosaic.device)
        highest = torch.empty(self.size, dtype=torch.float32, device=self.mosaic.device)
        columns = list(_tiles(self.column_weights, self.mosaic.device))
        for rows, row_tokens, row_weights in _tiles(self.row_weights, self.mosaic.device):
            for cols, column_tokens, column_weights in columns:
                tile = similarities[:, row_tokens, column_tokens]
                pixels = row_weights.shape[0] * column_weights.shape[0]
                block = max(1, max_bytes // (4 * pixels))
                highest[rows, cols], best[rows, cols] = _running_maximum(
                    tile, row_weights, column_weights, block
                )
        return best, highest


def _tiles(weights: Tensor, device: torch.device) -> Iterator[tuple[slice, slice, Tensor]]:
    """Cuts an axis: pixels of a tile, the span of tokens they need, and the weights between.

    Spans are found on the CPU, where the weights are; a device is not waited for.
    """
    on_device = weights.to(device)
    for start in range(0, weights.shape[0], _TILE_PX):
        pixels = slice(start, min(start + _TILE_PX, weights.shape[0]))
        used = torch.nonzero(weights[pixels].any(dim=0)).flatten()
        span = slice(int(used[0]), int(used[-1]) + 1)
        yield pixels, span, on_device[pixels, span]


def _running_maximum(
    similarities: Tensor, row_weights: Tensor, column_weights: Tensor, block: int
) -> tuple[Tensor, Tensor]:
    """Maximum and index over the first dimension of the enlarged similarities, (h, w) each."""
    highest, best = (row_weights @ (similarities[:block] @ column_weights.T)).max(dim=0)
    for start in range(block, similarities.shape[0], block):
        part = similarities[start : start + block] @ column_weights.T
        higher, index = (row_weights @ part).max(dim=0)
        best = torch.where(higher > highest, index + start, best)
        highest = torch.maximum(highest, higher)
    return highest, best
