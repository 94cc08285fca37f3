"""The trees of monocular_ups, read only: raw cluster PNGs, their centroids, depth beside them."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from relief.formats.files.folders import walk_files
from relief.formats.label_png import read_semantic
from relief.formats.reader import entry_of, path_of_key
from relief.schema.errors import UsageError
from relief.schema.label_spaces import VOID

CENTROIDS = "kmeans_centroids.npz"
_K_IN_NAME = re.compile(r"_k(\d+)$")
_STEM_ENDS = ("", "_leftImg8bit")


class MonocularUpsLabels:
    """`ROOT/pseudo_semantic_raw_k80/SPLIT/CITY/STEM.png`; fits `LabelReader`.

    These labels have no instances: `panoptic` is (cluster, 0) everywhere.

    Args:
        root: The Cityscapes folder that holds the trees.
        split: `train` or `val`.
        semantic_folder: Name of the tree of cluster PNGs.
        depth_folder: Name of the tree of depth maps.
    """

    free_arguments = frozenset({"root"})

    def __init__(
        self,
        root: Path,
        split: str,
        semantic_folder: str = "pseudo_semantic_raw_k80",
        depth_folder: str = "depth_spidepth",
    ) -> None:
        self.folder = Path(root) / semantic_folder
        self.split = split
        self.depth_folder = Path(root) / depth_folder / split

    @cached_property
    def _paths(self) -> dict[str, Path]:
        base = self.folder / self.split
        paths = {}
        for path in walk_files(base):
            if not path.name.endswith(".png"):
                continue
            key = path.relative_to(base).with_suffix("").as_posix()
            paths[key.removesuffix("_leftImg8bit")] = path
        return paths

    @cached_property
    def keys(self) -> list[str]:
        """Sorted keys `CITY/STEM`, without `_leftImg8bit`.

        Raises:
            UsageError: There is no PNG.
        """
        if not self._paths:
            looked_for = self.folder / self.split / "**" / "*.png"
            msg = f"no labels found: {self.folder} (looked for {looked_for}). Check the folder."
            raise UsageError(msg)
        return sorted(self._paths)

    @cached_property
    def num_categories(self) -> int:
        """The number of clusters: as the centroids, the folder's name or the files say."""
        if (self.folder / CENTROIDS).is_file():
            return len(self.centroids())
        named = _K_IN_NAME.search(self.folder.name)
        if named:
            return int(named[1])
        return 1 + max(int(self.semantic(key).max()) for key in self.keys)

    @property
    def thing_ids(self) -> None:
        """The format does not say."""
        return None

    def semantic(self, key: str) -> Tensor:
        """(H, W) int64 cluster ids, -1 = ignore; raises `ReadError`."""
        return read_semantic(entry_of(self._paths, key, self.folder))

    def panoptic(self, key: str) -> Tensor:
        """(H, W, 2) int64 (cluster, 0); raises `ReadError`."""
        semantic = self.semantic(key)
        return torch.stack((semantic, torch.zeros_like(semantic)), dim=-1)

    def depth_path(self, key: str) -> Path | None:
        """The depth map of a key, its stem with or without `_leftImg8bit`; `None` without one."""
        for end in _STEM_ENDS:
            path = path_of_key(self.depth_folder, key, f"{end}.npy")
            if path.is_file():
                return path
        return None

    def centroids(self) -> Tensor:
        """(k, C) float32 raw means; raises `UsageError`."""
        return self._array("centroids", 2).to(torch.float32)

    def class_of_cluster(self) -> Tensor:
        """(k,) int64 classes of 19, a majority vote of ground truth; -1 = none.

        Raises:
            UsageError: There is no such file.
        """
        classes = self._array("cluster_to_class", 1).to(torch.int64)
        return classes.where((classes >= 0) & (classes < 255), VOID)

    def _array(self, name: str, ndim: int) -> Tensor:
        path = self.folder / CENTROIDS
        try:
            with np.load(path, allow_pickle=False) as arrays:
                values = torch.from_numpy(arrays[name])
        except Exception as error:  # damaged archives have errors of their own
            raise _unreadable(path, name) from error
        if values.ndim != ndim:
            raise _unreadable(path, name)
        return values


def _unreadable(path: Path, name: str) -> UsageError:
    msg = f"cannot read centroids: {path} ({name}). Copy the file beside the labels."
    return UsageError(msg)
