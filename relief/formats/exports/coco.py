"""COCO panoptic and COCO instances, of a whole store."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from relief.formats.coco.instances import INSTANCES, CocoInstances, write_coco_instances
from relief.formats.coco.json_files import key_of_file_name
from relief.formats.coco.panoptic import write_coco_panoptic
from relief.formats.exports.corrections import CorrectedRegion, Corrections
from relief.formats.exports.exporter import ExportedLabels, Exporter
from relief.schema.errors import ReadError


class CocoPanopticExport(Exporter):
    """Writes OUT/panoptic.json and OUT/panoptic/KEY.png, with scores where there are any."""

    def write(self, out: Path, exported: ExportedLabels) -> None:
        """Writes the labels, as `Exporter.write`."""
        about = (exported.categories, exported.supervision, exported.file_names)
        write_coco_panoptic(out, exported.labels, *about, exported.confidence)


class CocoInstancesExport(Exporter):
    """Writes things as OUT/instances.json, which CVAT, FiftyOne and torchvision read too.

    Args:
        polygons: Polygons in place of compressed run lengths, for tools that edit outlines.
        tolerance_px: How far the border of a polygon may move to need fewer corners.
    """

    def __init__(self, polygons: bool = False, tolerance_px: float = 0.7) -> None:
        self.tolerance_px = tolerance_px if polygons else None

    def write(self, out: Path, exported: ExportedLabels) -> None:
        """Writes the labels, as `Exporter.write`."""
        images = exported.images("COCO instances", stuff=False)
        named = ((image.file_name, image.regions) for image in images)
        about = (exported.things, exported.supervision, self.tolerance_px)
        write_coco_instances(out / INSTANCES, named, *about)


class CocoCorrections(Corrections):
    """Reads a COCO instance JSON, such as CVAT exports ("COCO 1.0"): objects, no stuff.

    Args:
        path: The file.
    """

    def __init__(self, path: str) -> None:
        self.instances = CocoInstances(path)
        self._name_of: dict[str, str] = {}

    @cached_property
    def _names(self) -> dict[int, str]:
        return self.instances.categories

    def keys(self, file_names: Mapping[str, str]) -> list[str]:
        """Returns the images that the file lists, as `Corrections.keys`."""
        listed = set(self.instances.keys)
        names = {key: key_of_file_name(name) for key, name in file_names.items()}
        self._name_of = {key: name for key, name in names.items() if name in listed}
        return sorted(self._name_of)

    def regions(self, key: str, size: tuple[int, int]) -> list[CorrectedRegion]:
        """Returns the objects of an image, as `Corrections.regions`."""
        objects = self.instances.instances(self._name_of[key])
        if objects.size != size or objects.masks is None:
            msg = (
                f"cannot read corrections: {self.instances.json_path} ({key}: no masks of "
                f"{size[0]}x{size[1]} px). Export outlines of the exported images."
            )
            raise ReadError(msg)
        names = (self._names[number] for number in objects.category.tolist())
        return [CorrectedRegion(*pair) for pair in zip(names, objects.masks, strict=True)]
