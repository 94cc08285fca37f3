"""Labels of every supported format behind one reading interface, and assignment files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from relief.formats.cityscapes import CityscapesLabels
from relief.formats.coco.panoptic_reader import CocoPanoptic
from relief.formats.cups import CupsLabels
from relief.formats.label_store import LabelStore, finished_store
from relief.formats.monocular_ups import MonocularUpsLabels
from relief.formats.reader import LabelReader
from relief.schema.errors import UsageError
from relief.schema.label_spaces import LabelSpace
from relief.schema.plain_text import json_of

STORE = "store"


@dataclass(frozen=True)
class LabelSource:
    """How one format is opened.

    Attributes:
        open: (path, split, classes) -> the labels.
        are_classes: Whether ids are class ids whoever made them.
    """

    open: Callable[[Path, str, LabelSpace], LabelReader]
    are_classes: bool = False


def _store(path: Path, _split: str, _space: LabelSpace) -> LabelReader:
    return finished_store(path)


def _monocular_ups(path: Path, split: str, _space: LabelSpace) -> LabelReader:
    return MonocularUpsLabels(path.parent, split, path.name)


LABEL_SOURCES: dict[str, LabelSource] = {
    STORE: LabelSource(_store),
    "coco_panoptic": LabelSource(lambda path, _split, space: CocoPanoptic(path, space=space)),
    "cityscapes": LabelSource(CityscapesLabels, are_classes=True),
    "cups": LabelSource(lambda path, _split, _space: CupsLabels(path)),
    "monocular_ups": LabelSource(_monocular_ups),
}


def open_labels(path: Path, source: str, split: str, space: LabelSpace) -> LabelReader:
    """Opens labels.

    Args:
        path: A folder; of `coco_panoptic`, the JSON file; of `monocular_ups`, the tree of cluster
            PNGs (ROOT/pseudo_semantic_raw_k80).
        source: Name of the format.
        split: For formats that hold several.
        space: For formats whose ids are classes.

    Raises:
        UsageError: No such format or folder.
    """
    if source not in LABEL_SOURCES:
        msg = f"unknown format: {source}. Use one of {', '.join(LABEL_SOURCES)}."
        raise UsageError(msg)
    if not path.exists():
        msg = f"no labels found: {path}. Check --labels."
        raise UsageError(msg)
    return LABEL_SOURCES[source].open(path, split, space)


def are_class_ids(labels: LabelReader, source: str, space: LabelSpace) -> bool:
    """Whether the ids of these labels are the classes of that space."""
    if isinstance(labels, LabelStore):
        return labels.manifest.classes == space.name
    return LABEL_SOURCES[source].are_classes or getattr(labels, "are_classes", False)


def read_assignment(path: Path, name: str) -> list[int]:
    """Class id of each category, from an `assignment.json`.

    Args:
        path: The file.
        name: Which of its assignments, such as `majority`.

    Raises:
        UsageError: It cannot be read, or holds none of that name.
    """
    try:
        content = json_of(path.read_bytes())
        return [int(class_id) for class_id in content[name]["panoptic"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"cannot read assignment: {path} ({name}). evaluate.py labels writes one."
        raise UsageError(msg) from error
