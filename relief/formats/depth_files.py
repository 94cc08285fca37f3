"""Precomputed depth: `.npy`, 16-bit `.png` and Cityscapes disparity, read as relative depth."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relief.formats.depth_record import read_depth_record
from relief.formats.depth_values import are, filled, stored_values
from relief.formats.files.folders import AlikeFiles
from relief.schema.errors import ReadError, UsageError
from relief.schema.geometry import same_aspect

SUFFIXES = (".npy", ".png")
PHOTOGRAPHS = (".png", ".jpg", ".jpeg")
_MIN_RANGE = 1e-6  # a map that spans less is constant, as in the published min-max
_ROUNDING = 1e-6  # how far float32 files may leave [0, 1]


class FolderDepth:
    """Reads depth files that lie beside the images: ROOT/SPLIT/KEY.npy or .png.

    A key is `city/stem` in a Cityscapes tree, where ROOT is for instance `CITYSCAPES/depth`; in a
    plain folder of images ROOT mirrors that folder and there is no SPLIT. Values within [0, 1] are
    used as they are; integers of a `.png` are divided by the largest its bit depth can hold.

    Args:
        root: The folder of the depth files. Not read here.
        normalise: `min_max` stretches each map to [0, 1]; `None` refuses maps outside [0, 1].
        inverse: The files hold inverse depth or disparity (large = near): 1 - min-max of each map.
        invalid_value: This value, as the file stores it (such as 65535 in a 16-bit `.png`, or
            `.nan`), means "unknown" and takes the value of the nearest known pixel.
        stem_suffixes: What may follow the key in a file name.
        supervision: How the depth was learned, for the manifest, where no `depth.json` lies beside
            the files; what begins with `none` is no supervision.
    """

    free_arguments = frozenset({"root"})

    def __init__(
        self,
        root: str | Path,
        normalise: Literal["min_max"] | None = None,
        inverse: bool = False,
        invalid_value: float | None = None,
        stem_suffixes: Sequence[str] = ("", "_leftImg8bit"),
        supervision: str = "unknown: precomputed depth files",
    ) -> None:
        self.root = Path(root)
        self.normalise = normalise
        self.inverse = inverse
        self.invalid_value = invalid_value
        self.stem_suffixes = tuple(stem_suffixes)
        self.supervision = supervision
        self._files = AlikeFiles()

    @property
    def description(self) -> dict[str, object]:
        """Describes the depth that is read, for a manifest; without paths."""
        return {
            "part": f"{type(self).__module__}.{type(self).__qualname__}",
            "normalise": self.normalise,
            "inverse": self.inverse,
            "conversion": "1 - minmax(x)" if self.inverse else self.normalise or "none",
            "invalid_value": self.invalid_value,
            "supervision": self.supervision,
        }

    def made_by(self, splits: Iterable[str]) -> dict[str, Any]:
        """Tells what made the files of some splits, for a manifest.

        Args:
            splits: As for `find`.

        Returns:
            What `cache_depth` wrote beside them (`relief.formats.depth_record`); `supervision`
            alone where nothing was.

        Raises:
            UsageError: The splits were made in different ways, or a record is damaged.
        """
        records, untold = {}, False
        for split in dict.fromkeys(splits):
            own = self.root / split
            record = read_depth_record(own) or read_depth_record(self.root)
            if record is not None:
                records[str(own)] = record
            untold |= record is None and own.is_dir()
        first = next(iter(records.values()), None)
        if any(record != first for record in records.values()):
            msg = (
                f"depth was made in different ways: {', '.join(records)}. "
                "Make it again in one way, or keep the folders apart."
            )
            raise UsageError(msg)
        unknown = [self.supervision] if not self.supervision.startswith("none") else []
        if first is None:
            return {"supervision": unknown}
        sentences = [*first.get("supervision", []), *(unknown if untold else [])]
        return {**first, "supervision": sentences}

    def find(self, split: str, key: str) -> str | None:
        """The depth file of an image, or `None`.

        Args:
            split: Folder under the root, or empty.
            key: Id of the image, such as `aachen/aachen_000000_000019`.
        """
        folders = (self.root / split, self.root) if split else (self.root,)
        bare = key.removesuffix(PurePosixPath(key).suffix)  # of photographs that share a stem
        stems = (key, bare) if key.lower().endswith(PHOTOGRAPHS) else (key,)
        wanted = [
            folder / f"{stem}{stem_suffix}{suffix}"
            for folder in folders
            for stem in stems
            for stem_suffix in self.stem_suffixes
            for suffix in SUFFIXES
        ]
        for path in wanted:
            if os.path.isfile(path):  # noqa: PTH113  # `is_file` raises on long names
                return str(path)
        alike = next(filter(None, map(self._files.find, wanted)), None)
        return None if alike is None else str(alike)

    def read(self, path: str) -> Tensor:
        """Reads one map.

        Returns:
            (1, h, w) float32 in [0, 1], 0 near, 1 far; zeros where the map is constant.

        Raises:
            ReadError: Unreadable, not one (h, w) map of numbers, NaN or infinite, or outside
                [0, 1] without `normalise`.
        """
        values, one = stored_values(path)
        if self.invalid_value is not None:
            values = filled(values, are(values, self.invalid_value), path)
        if not np.isfinite(values).all():
            msg = f"depth holds NaN or infinite values: {path}. Make the file again."
            raise ReadError(msg)
        scaled = values.astype(np.float64) / one
        return torch.from_numpy(self._relative(scaled, path).astype(np.float32))[None]

    def invalid_share(self, path: str) -> float:
        """The share of a file's pixels that `read` fills from their neighbours, 0..1."""
        if self.invalid_value is None:
            return 0.0
        return float(np.mean(are(stored_values(path)[0], self.invalid_value)))

    def _relative(self, values: NDArray[Any], path: str) -> NDArray[Any]:
        low, high = float(values.min()), float(values.max())
        stretches = self.inverse or self.normalise is not None
        if not stretches and (low < -_ROUNDING or high > 1 + _ROUNDING):
            msg = (
                f"depth outside [0, 1]: {path} ({low:.4g} to {high:.4g}). "
                "Set normalise: min_max, or inverse: true where large means near."
            )
            raise ReadError(msg)
        if not math.isfinite(high - low):
            msg = (
                f"depth spans more than a number can hold: {path} ({low:.4g} to {high:.4g}). "
                "Make the file again, or set invalid_value."
            )
            raise ReadError(msg)
        if high - low < _MIN_RANGE:
            return np.zeros_like(values)
        if not stretches:
            return values.clip(0.0, 1.0)
        stretched = (values - low) / (high - low)
        return 1.0 - stretched if self.inverse else stretched


class CityscapesDisparity(FolderDepth):
    """Cityscapes' own stereo: ROOT/SPLIT/CITY/STEM_disparity.png, 16 bit, 0 where unknown.

    The files hold 256 * disparity + 1; min-max takes scale and offset out again.

    Args:
        root: The folder `disparity` of a Cityscapes tree.
    """

    def __init__(self, root: str | Path) -> None:
        super().__init__(
            root,
            inverse=True,
            invalid_value=0.0,
            stem_suffixes=("_disparity",),
            supervision="none: stereo matching",
        )


def check_aspect(depth: Tensor, image_size: tuple[int, int], path: str = "") -> None:
    """Refuses depth whose aspect ratio is more than 2 % off the image's.

    Args:
        depth: (..., h, w), any resolution.
        image_size: (height, width) of the image.
        path: The depth file, for the message.

    Raises:
        ReadError: It belongs to another image, or is turned or cropped.
    """
    height, width = depth.shape[-2:]
    if not same_aspect((height, width), image_size):
        msg = (
            f"depth of another shape: {path} ({height}x{width} beside an image of "
            f"{image_size[0]}x{image_size[1]}). Give the depth of the whole image."
        )
        raise ReadError(msg)
