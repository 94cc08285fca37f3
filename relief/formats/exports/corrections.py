"""Labels that people corrected in another tool, read as labels of the store they came from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from relief.formats.reader import ChangedLabels, LabelReader
from relief.ops.objects.instance_masks import decoded
from relief.schema.categories import Category
from relief.schema.errors import ReadError
from relief.schema.instances import Rle
from relief.schema.label_spaces import VOID


class CorrectedRegion(NamedTuple):
    """A region as a person left it: the name of its category, and its pixels."""

    name: str
    mask: Rle


class Corrections(ABC):
    """Labels as people left them in some tool."""

    @abstractmethod
    def keys(self, file_names: Mapping[str, str]) -> Sequence[str]:
        """Returns the sorted keys of the corrected images.

        Args:
            file_names: File name of the photograph by key, of the labels that were exported.

        Raises:
            UsageError: There is no such file or folder, or it holds something else.
        """

    @abstractmethod
    def regions(self, key: str, size: tuple[int, int]) -> list[CorrectedRegion]:
        """Returns the regions of an image of (height, width), in the order of the file.

        Raises:
            ReadError: They cannot be read, or are of an image of another size.
        """


class CorrectedLabels(ChangedLabels):
    """Labels with the regions of people over them; fits `relief.formats.reader.LabelReader`.

    Stuff is painted first, objects lie above it. Where nobody painted, the stuff of the labels
    stays, and what was an object is void.

    Args:
        labels: The labels that were exported.
        corrections: What people made of them.
        categories: Of all ids of the labels, by whose names regions are known.
        keys: Of the corrected images.
    """

    def __init__(
        self,
        labels: LabelReader,
        corrections: Corrections,
        categories: Sequence[Category],
        keys: Sequence[str],
    ) -> None:
        self.labels = labels
        self.corrections = corrections
        self.category_of = {category["name"]: category for category in categories}
        self.keys = keys

    def semantic(self, key: str) -> Tensor:
        """(H, W) int64 ids, -1 = void; raises `ReadError`."""
        return self.panoptic(key)[..., 0]

    def panoptic(self, key: str) -> Tensor:
        """(H, W, 2) int64 (category, instance).

        Raises:
            ReadError: Labels or corrections cannot be read, or name no category of the labels.
        """
        panoptic = self.labels.panoptic(key).numpy().copy()
        things = [one["id"] for one in self.category_of.values() if one["isthing"]]
        panoptic[np.isin(panoptic[..., 0], things)] = (VOID, 0)
        height, width = panoptic.shape[:2]
        regions = self.corrections.regions(key, (height, width))
        for name in {region.name for region in regions} - self.category_of.keys():
            some = ", ".join(list(self.category_of)[:5])
            msg = f"unknown label in {key}: {name}. Use one of the exported ones ({some}, ...)."
            raise ReadError(msg)
        known = [(self.category_of[region.name], region.mask) for region in regions]
        number = 0
        for category, mask in sorted(known, key=lambda one: one[0]["isthing"]):
            number += category["isthing"]
            painted = (category["id"], number if category["isthing"] else 0)
            panoptic[decoded(mask)] = painted
        return torch.from_numpy(panoptic)


def readable(key: str, where: Path, read: Callable[[], Any]) -> Any:
    """Returns what `read` returns of an image; what it trips over becomes one line.

    Raises:
        ReadError: Corrections of this image are malformed.
    """
    try:
        return read()
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        told = str(error) if isinstance(error, ValueError) else f"no {error}"
        msg = f"cannot read corrections: {where} ({key}: {told.rstrip('.')}). Mend the file."
        raise ReadError(msg) from error


def same_size(size: tuple[int, int], height: Any, width: Any) -> None:
    """Refuses regions of an image of another size; raises `ValueError`."""
    if (height, width) != size:
        msg = f"of an image of {height}x{width}, labels are {size[0]}x{size[1]}"
        raise ValueError(msg)
