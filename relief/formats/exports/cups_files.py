"""Flat files of CUPS of a whole store."""

from __future__ import annotations

from pathlib import Path

from relief.formats.cups import write_cups
from relief.formats.exports.exporter import ExportedLabels, Exporter


class CupsExport(Exporter):
    """Writes OUT/NAME_semantic.png, OUT/NAME_instance.png and the statistics beside them."""

    def write(self, out: Path, exported: ExportedLabels) -> None:
        """Writes the labels, as `Exporter.write`."""
        write_cups(out, exported.labels)
