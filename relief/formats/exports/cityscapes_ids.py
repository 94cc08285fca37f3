"""Cityscapes ids of a whole store."""

from __future__ import annotations

from pathlib import Path

from relief.formats.cityscapes import write_cityscapes
from relief.formats.exports.exporter import ExportedLabels, Exporter
from relief.schema.label_spaces import CITYSCAPES_19


class CityscapesIdsExport(Exporter):
    """Writes OUT/gtFine/SPLIT/KEY_gtFine_{labelIds,instanceIds}.png, of labels of classes."""

    def write(self, out: Path, exported: ExportedLabels) -> None:
        """Writes the labels, as `Exporter.write`."""
        space = exported.space or CITYSCAPES_19
        write_cityscapes(out, exported.labels, space, split=exported.split)
