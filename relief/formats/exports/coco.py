"""COCO panoptic and COCO instances, of a whole store."""

from __future__ import annotations

from pathlib import Path

from relief.formats.coco.instances import INSTANCES, write_coco_instances
from relief.formats.coco.panoptic import write_coco_panoptic
from relief.formats.exports.exporter import ExportedLabels, Exporter


class CocoPanopticExport(Exporter):
    """Writes OUT/panoptic.json and OUT/panoptic/KEY.png, with scores where there are any."""

    def write(self, out: Path, exported: ExportedLabels) -> None:
        """Writes the labels, as `Exporter.write`."""
        about = (exported.categories, exported.supervision, exported.file_names)
        write_coco_panoptic(out, exported.labels, *about, exported.store.confidence)


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
