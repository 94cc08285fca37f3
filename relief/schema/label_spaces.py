"""The one Cityscapes class table, and the two label spaces evaluated on it (19 and 27 classes).

Readers, formats, samples and metrics take their ids, names and colours from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

VOID = -1
INSTANCE_DIVISOR = 1000

SpaceName = Literal["cityscapes19", "cityscapes27"]


@dataclass(frozen=True)
class Label:
    """One label of a data set: `label_id` (0..255) is what its files hold."""

    label_id: int
    name: str
    color: tuple[int, int, int]
    is_thing: bool = False
    is_evaluated: bool = False


CITYSCAPES_LABELS: tuple[Label, ...] = (
    Label(0, "unlabeled", (0, 0, 0)),
    Label(1, "ego vehicle", (0, 0, 0)),
    Label(2, "rectification border", (0, 0, 0)),
    Label(3, "out of roi", (0, 0, 0)),
    Label(4, "static", (0, 0, 0)),
    Label(5, "dynamic", (111, 74, 0)),
    Label(6, "ground", (81, 0, 81)),
    Label(7, "road", (128, 64, 128), is_evaluated=True),
    Label(8, "sidewalk", (244, 35, 232), is_evaluated=True),
    Label(9, "parking", (250, 170, 160)),
    Label(10, "rail track", (230, 150, 140)),
    Label(11, "building", (70, 70, 70), is_evaluated=True),
    Label(12, "wall", (102, 102, 156), is_evaluated=True),
    Label(13, "fence", (190, 153, 153), is_evaluated=True),
    Label(14, "guard rail", (180, 165, 180)),
    Label(15, "bridge", (150, 100, 100)),
    Label(16, "tunnel", (150, 120, 90)),
    Label(17, "pole", (153, 153, 153), is_evaluated=True),
    Label(18, "polegroup", (153, 153, 153)),
    Label(19, "traffic light", (250, 170, 30), is_evaluated=True),
    Label(20, "traffic sign", (220, 220, 0), is_evaluated=True),
    Label(21, "vegetation", (107, 142, 35), is_evaluated=True),
    Label(22, "terrain", (152, 251, 152), is_evaluated=True),
    Label(23, "sky", (70, 130, 180), is_evaluated=True),
    Label(24, "person", (220, 20, 60), is_thing=True, is_evaluated=True),
    Label(25, "rider", (255, 0, 0), is_thing=True, is_evaluated=True),
    Label(26, "car", (0, 0, 142), is_thing=True, is_evaluated=True),
    Label(27, "truck", (0, 0, 70), is_thing=True, is_evaluated=True),
    Label(28, "bus", (0, 60, 100), is_thing=True, is_evaluated=True),
    Label(29, "caravan", (0, 0, 90), is_thing=True),
    Label(30, "trailer", (0, 0, 110), is_thing=True),
    Label(31, "train", (0, 80, 100), is_thing=True, is_evaluated=True),
    Label(32, "motorcycle", (0, 0, 230), is_thing=True, is_evaluated=True),
    Label(33, "bicycle", (119, 11, 32), is_thing=True, is_evaluated=True),
)


@dataclass(frozen=True)
class LabelSpace:
    """Class ids 0..C-1 over the label ids of a data set; everything else is void (-1).

    Attributes:
        name: Such as `cityscapes19`.
        labels: The label of each class id.
        absent: Class ids that a data set has no labels of.
    """

    name: str
    labels: tuple[Label, ...]
    absent: tuple[int, ...] = ()

    def without(self, names: Sequence[str]) -> LabelSpace:
        """Returns the same classes for a data set that has no labels of the named ones."""
        return replace(self, absent=tuple(self.names.index(name) for name in names))

    @property
    def absent_names(self) -> tuple[str, ...]:
        """Names of the classes that a data set has no labels of."""
        return tuple(self.names[class_id] for class_id in self.absent)

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        return len(self.labels)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names by class id."""
        return tuple(label.name for label in self.labels)

    @property
    def colors(self) -> tuple[tuple[int, int, int], ...]:
        """RGB colours by class id, 0..255."""
        return tuple(label.color for label in self.labels)

    @property
    def things(self) -> tuple[int, ...]:
        """Class ids that come as single objects."""
        return tuple(i for i, label in enumerate(self.labels) if label.is_thing)

    @property
    def stuffs(self) -> tuple[int, ...]:
        """Class ids that are regions."""
        return tuple(i for i, label in enumerate(self.labels) if not label.is_thing)

    @cached_property
    def class_of_label_id(self) -> Tensor:
        """Class id for each label id 0..255, int64 (256,); -1 where the label is void here."""
        lookup = torch.full((256,), VOID, dtype=torch.int64)
        for class_id, label in enumerate(self.labels):
            lookup[label.label_id] = class_id
        return lookup

    def label_id(self, class_id: int) -> int:
        """The label id of a class id in files."""
        return self.labels[class_id].label_id

    def target(self, instance_ids: Tensor) -> Tensor:
        """Turns Cityscapes `instanceIds` into the ground truth of a batch.

        Args:
            instance_ids: (..., H, W) integers as in `instanceIds.png`: the label id where it is
                below 1000 (stuff, or a thing region without single objects), else
                label id * 1000 + number of the object.

        Returns:
            (..., H, W, 2) int64 (class id, instance): void is (-1, 0), stuff (class, 0), a group
            region of a thing class (class, 0), an object (class, number + 1).
        """
        ids = instance_ids.to(torch.int64)
        is_object = ids >= INSTANCE_DIVISOR
        label_id = torch.where(is_object, ids // INSTANCE_DIVISOR, ids).clamp(0, 255)
        category = self.class_of_label_id.to(ids.device)[label_id]
        is_thing = torch.zeros(self.num_classes + 1, dtype=torch.bool, device=ids.device)
        is_thing[list(self.things)] = True
        has_instance = is_object & is_thing[category]  # category -1 reads the last entry: False
        instance = torch.where(has_instance, ids % INSTANCE_DIVISOR + 1, torch.zeros_like(ids))
        return torch.stack((category, instance), dim=-1)


CITYSCAPES_19 = LabelSpace(
    "cityscapes19", tuple(label for label in CITYSCAPES_LABELS if label.is_evaluated)
)
CITYSCAPES_27 = LabelSpace(
    "cityscapes27", tuple(label for label in CITYSCAPES_LABELS if label.label_id >= 7)
)
LABEL_SPACES: dict[str, LabelSpace] = {
    space.name: space for space in (CITYSCAPES_19, CITYSCAPES_27)
}


def label_space(name: str) -> LabelSpace:
    """The label space of that name.

    Raises:
        ValueError: There is none; the message lists those there are.
    """
    try:
        return LABEL_SPACES[name]
    except KeyError:
        msg = f"label space must be one of {', '.join(LABEL_SPACES)}, got {name!r}"
        raise ValueError(msg) from None


def thing_mask(thing_ids: Sequence[int], size: int) -> Tensor:
    """Ids as a mask: bool (size,), true at `thing_ids`."""
    mask = torch.zeros(size, dtype=torch.bool)
    mask[list(thing_ids)] = True
    return mask
