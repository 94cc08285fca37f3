"""The flat files of CUPS: NAME_semantic.png, NAME_instance.png and `.pt` statistics."""

from __future__ import annotations

import io
import re
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

import torch
from torch import Tensor

from relief.formats.files.atomic import write_bytes
from relief.formats.label_png import (
    read_ids,
    read_semantic,
    write_instance_png,
    write_semantic_png,
)
from relief.formats.reader import LabelReader, entry_of, join_panoptic
from relief.processes.progress import with_progress
from relief.schema.errors import UsageError

SEMANTIC = "_semantic.png"
INSTANCE = "_instance.png"
STATISTICS = "pseudo_classes_split_0.pt"
ALL_PIXELS = "distribution all pixels"
INSIDE_INSTANCES = "distribution inside object proposals"
PER_INSTANCE = "distribution per object proposal"
_IMAGE = "_leftImg8bit"
_CITYSCAPES_NAME = re.compile(r"([^_/%]+)_\d{6}_\d{6}")


class CupsLabels:
    """Reads CUPS pseudo-labels of any resolution; fits `relief.formats.reader.LabelReader`.

    Files are joined by name, never by position. A name that looks like Cityscapes'
    (`CITY_000000_000019`) has the key `CITY/NAME`.
    """

    free_arguments = frozenset({"root"})

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    @cached_property
    def _names(self) -> dict[str, str]:
        semantic, instance = self._stems(SEMANTIC), self._stems(INSTANCE)
        return {key_of_name(name): name for name in sorted(semantic & instance)}

    @cached_property
    def keys(self) -> list[str]:
        """Sorted keys of the images that have both files.

        Raises:
            UsageError: There is none.
        """
        if not self._names:
            msg = (
                f"no CUPS labels found: {self.root} (looked for *{SEMANTIC} beside *{INSTANCE}). "
                "Check the folder."
            )
            raise UsageError(msg)
        return sorted(self._names)

    @cached_property
    def num_categories(self) -> int:
        """The length of the statistics; without, one more than the largest id of all files."""
        statistics = self.statistics()
        if statistics is not None:
            return len(next(iter(statistics.values())))
        largest = max(int(self.semantic(key).max()) for key in self.keys)
        return largest + 1

    @property
    def thing_ids(self) -> None:
        """The format does not say; the share of pixels inside instances decides."""
        return None

    def semantic(self, key: str) -> Tensor:
        """(H, W) int64 pseudo-classes, -1 = ignore; raises `ReadError`."""
        return read_semantic(self._path(key, SEMANTIC))

    def panoptic(self, key: str) -> Tensor:
        """(H, W, 2) int64 (pseudo-class, instance).

        Raises:
            ReadError: A file cannot be read, or the two differ in size.
        """
        path = self._path(key, INSTANCE)
        return join_panoptic(self.semantic(key), read_ids(path), path)

    def statistics(self) -> dict[str, Tensor] | None:
        """The counts of all `.pt` files, summed: (C,) int64 each; `None` without such a file.

        Raises:
            UsageError: A `.pt` file cannot be read, or they disagree in length.
        """
        total: dict[str, Tensor] = {}
        for path in sorted(self.root.glob("[!.]*.pt")):
            for name, counts in _read_statistics(path).items():
                if name in total and total[name].shape != counts.shape:
                    msg = f"statistics differ in length: {path}. Delete them or make them again."
                    raise UsageError(msg)
                total[name] = total.get(name, 0) + counts
        return total or None

    def _stems(self, suffix: str) -> set[str]:
        return {path.name.removesuffix(suffix) for path in self.root.glob(f"[!.]*{suffix}")}

    def _path(self, key: str, suffix: str) -> Path:
        return self.root / f"{entry_of(self._names, key, self.root)}{suffix}"


def name_of_key(key: str) -> str:
    """A flat file name from which `key_of_name` gives the key again."""
    name = key.rsplit("/", 1)[-1]
    if _CITYSCAPES_NAME.fullmatch(name) and key == f"{name.split('_')[0]}/{name}":
        return name + _IMAGE
    flat = key.replace("%", "%25").replace("/", "%2F")
    if _CITYSCAPES_NAME.fullmatch(flat):  # would be read as CITY/NAME
        flat = flat.replace("_", "%5F", 1)
    return flat + _IMAGE


def key_of_name(name: str) -> str:
    """The key of a file name without `_semantic.png` or `_instance.png`."""
    name = name.removesuffix(_IMAGE)
    if _CITYSCAPES_NAME.fullmatch(name):
        return f"{name.split('_')[0]}/{name}"
    return unquote(name)


def write_cups(out: Path, reader: LabelReader) -> None:
    """Writes labels as flat CUPS files, and the statistics of all files in the folder.

    The semantic map is the one that agrees with the instances: every pixel of an instance has its
    category. Maps are 8-bit, 16-bit where ids pass 255.

    Raises:
        ReadError: Labels of an image cannot be read.
        WriteError: A file cannot be written.
    """
    for key in with_progress(reader.keys, "CUPS files", len(reader.keys)):
        panoptic = reader.panoptic(key)
        stem = Path(out) / name_of_key(key)
        write_semantic_png(Path(f"{stem}{SEMANTIC}"), panoptic[..., 0], reader.num_categories)
        write_instance_png(Path(f"{stem}{INSTANCE}"), panoptic[..., 1])
    write_statistics(out, reader.num_categories)


def write_statistics(out: Path, num_categories: int) -> None:
    """Counts all CUPS files of a folder and writes the counts as `pseudo_classes_split_0.pt`.

    Three (num_categories,) int64 tensors: pixels, pixels inside instances, and instances.

    Raises:
        ReadError: A file cannot be read.
        WriteError: The statistics cannot be written.
    """
    labels = CupsLabels(out)
    names = (ALL_PIXELS, INSIDE_INSTANCES, PER_INSTANCE)
    counts = {name: torch.zeros(num_categories, dtype=torch.int64) for name in names}
    for key in with_progress(labels.keys, "CUPS statistics", len(labels.keys)):
        category, instance = labels.panoptic(key).reshape(-1, 2).unbind(-1)
        inside = category[instance > 0]
        pairs = torch.stack((category, instance), dim=-1)[instance > 0].unique(dim=0)
        counts[ALL_PIXELS] += category[category >= 0].bincount(minlength=num_categories)
        counts[INSIDE_INSTANCES] += inside.bincount(minlength=num_categories)
        counts[PER_INSTANCE] += pairs[:, 0].bincount(minlength=num_categories)
    buffer = io.BytesIO()
    torch.save(counts, buffer)
    write_bytes(Path(out) / STATISTICS, buffer.getvalue())


def _read_statistics(path: Path) -> dict[str, Tensor]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        names = (ALL_PIXELS, INSIDE_INSTANCES, PER_INSTANCE)
        counts = {name: content[name].to(torch.int64) for name in names if name in content}
    except Exception as error:
        raise _unreadable(path) from error
    shapes = {values.shape for values in counts.values()}
    if len(shapes) > 1 or any(len(shape) != 1 for shape in shapes):
        raise _unreadable(path)
    return counts


def _unreadable(path: Path) -> UsageError:
    return UsageError(f"cannot read CUPS statistics: {path}. Delete the file or make it again.")
