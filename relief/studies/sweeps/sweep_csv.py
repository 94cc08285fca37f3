"""`sweep.csv`: one row for each setting, assignment and protocol."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from relief.formats.files.atomic import write_text

COLUMNS = (
    "k",
    "splitter",
    "gradient_threshold",
    "min_area_px",
    "sigma",
    "protocol",
    "assignment",
    "pq",
    "pq_stuff",
    "pq_things",
    "sq",
    "rq",
    "instances_per_image",
    "true_instances_per_image",
    "matched_things",
    "thing_coverage",
    "edges_inside",
    "miou",
    "pixel_accuracy",
    "sq_things",
    "rq_things",
    "sq_stuff",
    "rq_stuff",
    "dilation_px",
    "depth",
    "source",
    "purpose",
    "images",
    "arguments",
)


def write_sweep_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes the rows with every digit; what does not exist is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(row.get(name)) for name in COLUMNS} for row in rows)
    write_text(path, text.getvalue())


def _cell(value: Any) -> Any:
    is_nothing = value is None or (isinstance(value, float) and not math.isfinite(value))
    return "" if is_nothing else value
