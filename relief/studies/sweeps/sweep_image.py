"""One image of a sweep: its ground truth and depth, read when first asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relief.formats.depth_files import FolderDepth, check_aspect
from relief.formats.images import read_image
from relief.metrics.panoptic_statistics import Ids
from relief.ops.depth_edges import gradient_magnitude_cpu
from relief.ops.objects.panoptic_map import resize_depth
from relief.ops.panoptic import compact_pairs
from relief.ops.splitting.depth_sharpening import ToggleSharpening
from relief.schema.errors import ReadError
from relief.schema.geometry import shrunk_size
from relief.schema.observation import DEPTH, IMAGE, Observation
from relief.schema.parts import Splitter
from relief.schema.sources import ImageSource
from relief.studies.sweeps.split_tables import (
    Map,
)

INSIDE_EDGE_THRESHOLD = 0.1


@dataclass(frozen=True)
class SharedReading:
    """The inputs that all sources of a sweep share.

    Attributes:
        truth: Ground truth and its classes.
        depths: Depth readers by name.
        split_short_side_px: Where splitting runs.
        short_sides_px: Sizes of comparison; 0 = ground-truth size.
    """

    truth: ImageSource
    depths: dict[str, FolderDepth]
    split_short_side_px: int
    short_sides_px: tuple[int, ...]


class SweepImage:
    """The ground truth and the depth gradients of one image, read when first asked for."""

    def __init__(self, shared: SharedReading, key: str) -> None:
        self.shared = shared
        self.key = key
        self._gradients: dict[tuple[Any, ...], NDArray[np.float64]] = {}
        self._depths: dict[tuple[str, tuple[int, int]], NDArray[Any]] = {}

    @cached_property
    def target(self) -> tuple[Tensor, Ids]:
        """(H, W) int32 compact ids, and the (category, instance) of each."""
        compact, pairs = compact_pairs(self.shared.truth.target(self.key))
        return compact, pairs.numpy()

    @cached_property
    def target_sizes(self) -> dict[int, tuple[int, int]]:
        """The size of comparison by short side; images are not enlarged."""
        ids = self.target[0]
        size = (ids.shape[0], ids.shape[1])
        return {side: shrunk_size(size, side) for side in self.shared.short_sides_px}

    def gradient(
        self,
        depth: str,
        sigma: float,
        size: tuple[int, int],
        sharpening: ToggleSharpening | None = None,
    ) -> NDArray[np.float64]:
        """Gradient magnitude of a depth source at a size; raises `ReadError`."""
        wanted = (depth, sigma, size, sharpening)
        if wanted not in self._gradients:
            values = self._depth(depth, size)
            sharp = values if sharpening is None else sharpening.sharpened(values)
            self._gradients[wanted] = gradient_magnitude_cpu(sharp, sigma)
        return self._gradients[wanted]

    def edges(self, size: tuple[int, int]) -> NDArray[np.bool_]:
        """Depth edges at the threshold of the label-free criterion; none without any depth."""
        if not self.shared.depths:
            return np.zeros(size, dtype=np.bool_)
        return self.gradient(next(iter(self.shared.depths)), 1.0, size) > INSIDE_EDGE_THRESHOLD

    def observation(
        self, regions: Map, num_regions: int, splitter: Splitter, depth: str
    ) -> Observation:
        """Makes what a splitter looks at; raises `ReadError`.

        Args:
            regions: (h, w) 0 = no thing, else what is split together.
            num_regions: The highest of them.
            splitter: Says what it needs.
            depth: Name of the depth source.
        """
        size = (regions.shape[0], regions.shape[1])
        path = self.shared.truth.image_path(self.key)
        return Observation(
            semantic=torch.from_numpy(regions.astype(np.int64) - 1)[None],
            things=torch.ones(num_regions, dtype=torch.bool),
            image=read_image(path)[None].float() / 255 if IMAGE in splitter.needs else None,
            depth=torch.from_numpy(self._depth(depth, size))[None, None]
            if DEPTH in splitter.needs
            else None,
        )

    @property
    def depth_paths(self) -> list[Path]:
        """The depth files of the image, of every source that has one."""
        found = [r.find(self.shared.truth.split, self.key) for r in self.shared.depths.values()]
        return [Path(path) for path in found if path is not None]

    def _depth(self, depth: str, size: tuple[int, int]) -> NDArray[Any]:
        if (depth, size) not in self._depths:
            reader = self.shared.depths[depth]
            path = reader.find(self.shared.truth.split, self.key)
            if path is None:
                msg = f"no depth for {self.key}: {reader.root}. Make it or leave the image out."
                raise ReadError(msg)
            values = reader.read(path)[None]
            check_aspect(values, size, path)
            self._depths[depth, size] = resize_depth(values, size)[0, 0].numpy()
        return self._depths[depth, size]
