"""`metrics.csv` that survives a resume: Lightning's own logger starts the file anew."""

from __future__ import annotations

import csv
import io
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only

from relief.formats.files.atomic import write_text

FIRST_COLUMNS = ("step", "epoch")


class MetricsCsv(Logger):
    """One row for each step at which something is logged; rows are never lost.

    When a training is resumed, rows of steps that are done again are replaced.

    Args:
        path: The file; read when it is there.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = Path(path)
        self._rows: dict[int, dict[str, str]] = {}
        self._is_first = True

    @property
    def name(self) -> str:
        """Nothing: the folder is the run's own."""
        return ""

    @property
    def version(self) -> str:
        """Nothing: the folder is the run's own."""
        return ""

    @property
    def save_dir(self) -> str:
        """The folder of the file."""
        return str(self.path.parent)

    @rank_zero_only
    def log_hyperparams(
        self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any
    ) -> None:
        """Nothing: the whole configuration is in `run.yaml`."""
        del params, args, kwargs

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Adds to the row of the step and writes the file."""
        step = 0 if step is None else step
        if self._is_first:
            self._is_first = False
            self._rows = {row: values for row, values in self._read().items() if row < step}
        row = self._rows.setdefault(step, {"step": str(step)})
        row |= {name: f"{float(value):.6g}" for name, value in metrics.items()}
        row["epoch"] = str(int(metrics.get("epoch", 0)))
        self._write()

    def _read(self) -> dict[int, dict[str, str]]:
        if not self.path.exists():
            return {}
        with self.path.open(encoding="utf-8", newline="") as file:
            return {
                int(row["step"]): {name: value for name, value in row.items() if value}
                for row in csv.DictReader(file)
            }

    def _write(self) -> None:
        names = sorted({name for row in self._rows.values() for name in row} - {*FIRST_COLUMNS})
        text = io.StringIO()
        writer = csv.DictWriter(text, (*FIRST_COLUMNS, *names), lineterminator="\n")
        writer.writeheader()
        for step in sorted(self._rows):
            writer.writerow(self._rows[step])
        write_text(self.path, text.getvalue())
