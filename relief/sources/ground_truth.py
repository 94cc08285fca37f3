"""Ground truth as labels: the ceiling of what training on labels can reach."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from relief.ops.panoptic import numbered_objects
from relief.schema.sources import ImageSource, keys_with_target
from relief.sources.cityscapes import given_or_cityscapes


class GroundTruthLabels:
    """Ground truth of a data set in the words of labels; training on it is supervised and says so.

    Fits `relief.formats.reader.LabelReader`.

    Args:
        root: The folder of a Cityscapes tree.
        split: Its split.
        label_space: `cityscapes19` or `cityscapes27`.
        source: Any other data set, in place of these three.
        domain: Name of the labelled domain, where another one is learned without labels.
    """

    free_arguments = frozenset({"root"})

    def __init__(
        self,
        root: str | Path = "",
        split: str = "train",
        label_space: str = "cityscapes19",
        source: ImageSource | None = None,
        domain: str | None = None,
    ) -> None:
        self.source = given_or_cityscapes(source, root, split, label_space)
        self.domain = domain

    @property
    def supervision(self) -> tuple[str, ...]:
        """Which ground truth these labels are, one sentence."""
        if self.domain is not None:
            return (f"source labels: {self.domain}",)
        of = self.source.split or self.source.root.name
        return (f"labels: ground truth of {of} ({self.classes})",)

    @property
    def notes(self) -> tuple[str, ...]:
        """Classes that were never labelled, one sentence if there are any."""
        absent = self.source.label_space.absent_names
        return (f"labels: nothing is labelled as {', '.join(absent)}",) if absent else ()

    @property
    def classes(self) -> str:
        """The label space of the ids, as a manifest names it."""
        return self.source.label_space.name

    @cached_property
    def keys(self) -> Sequence[str]:
        """Sorted keys of the images that have ground truth."""
        return keys_with_target(self.source)

    @property
    def num_categories(self) -> int:
        """The classes of the label space."""
        return self.source.label_space.num_classes

    @property
    def thing_ids(self) -> tuple[int, ...]:
        """The thing classes of the label space."""
        return self.source.label_space.things

    def semantic(self, key: str) -> Tensor:
        """(H, W) int64 class ids, -1 = void; raises `ReadError`."""
        return self.source.target(key)[..., 0]

    def panoptic(self, key: str) -> Tensor:
        """(H, W, 2) int64 (class, instance), instances numbered 1..N within the image.

        Raises:
            ReadError: The file cannot be read.
        """
        target = self.source.target(key)
        return torch.stack((target[..., 0], numbered_objects(target)), dim=-1)
