"""`report.html` of measured instances: figures, and what was found, missed and doubled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from relief.formats.files.atomic import write_text
from relief.metrics.instance_matches import InstanceMatches
from relief.metrics.panoptic_statistics import Mask
from relief.ops.objects.instance_masks import decoded, resized_instances
from relief.ops.resize import resize_image
from relief.reports.figures.overlay import Picture, as_picture, outline
from relief.reports.figures.pictures import data_address, fit_within
from relief.reports.pages import page_templates
from relief.reports.tables.evaluation import first_few
from relief.reports.tables.instances import INSTANCE_COLUMNS, instance_rows
from relief.schema.batch import Failure
from relief.schema.instances import ImageInstances

REPORT = "report.html"
COLORS = {
    "found": (46, 160, 90),
    "right": (46, 160, 90),
    "missed": (214, 58, 58),
    "doubled": (240, 160, 40),
    "wrong": (140, 96, 200),
}
_OPACITY = 0.6
_FRAME_PX = 2  # of a box
_LONGEST_PX = 760
_TEMPLATE = "instance_report.html"
Metrics = Mapping[str, Mapping[str, Any]]


class _Measured(Protocol):
    """Fits `relief.studies.scoring.instance_scores.MeasuredImage`."""

    @property
    def key(self) -> str: ...
    @property
    def predicted(self) -> ImageInstances: ...
    @property
    def true(self) -> ImageInstances: ...
    @property
    def matches(self) -> InstanceMatches: ...


class _Scores(Protocol):
    """Fits `relief.studies.scoring.instance_scores.InstanceScores`."""

    @property
    def metrics(self) -> Metrics: ...
    @property
    def examples(self) -> Sequence[_Measured]: ...
    @property
    def failures(self) -> Sequence[Failure]: ...


def write_instance_report(
    path: Path, title: str, scores: _Scores, photograph: Callable[[str], Tensor] | None
) -> None:
    """Writes the page.

    Args:
        path: The file.
        title: Name of the instances.
        scores: Figures and images to show.
        photograph: Gives (3, H, W) uint8 by key; without it masks lie on gray.

    Raises:
        ReadError: A photograph cannot be read.
        WriteError: The page cannot be written.
    """
    text = (
        page_templates()
        .get_template(_TEMPLATE)
        .render(
            title=title,
            counts=scores.metrics["counts"],
            columns=list(INSTANCE_COLUMNS.values()),
            rows=instance_rows(scores.metrics),
            colors={name: f"rgb{color}" for name, color in COLORS.items()},
            examples=[_shown(one, photograph) for one in scores.examples],
            notes=first_few([failure["reason"] for failure in scores.failures]),
        )
    )
    write_text(path, text)


def paint_fates(photo: Picture, instances: ImageInstances, fates: Mapping[str, Mask]) -> Picture:
    """Paints instances over the dimmed photograph in the colours of what became of them.

    Args:
        photo: (H, W, 3).
        instances: At the size of the photograph.
        fates: (N,) bool by name of `COLORS`; an instance in none is gray.
    """
    gray = photo.mean(axis=-1, keepdims=True) * 0.5 + 16
    colors = np.full((len(instances) + 1, 3), 128.0)
    for name, which in fates.items():
        colors[1:][which] = COLORS[name]
    number = np.zeros(photo.shape[:2], np.int64)
    for i in np.argsort(-instances.area_px, kind="stable"):
        number[_pixels(instances, i)] = i + 1
    opacity = np.where(number > 0, _OPACITY, 0.0)[..., None]
    painted = (gray * (1 - opacity) + colors[number] * opacity).astype(np.uint8)
    return outline(painted, torch.from_numpy(number)) if instances.masks is not None else painted


def _pixels(instances: ImageInstances, i: int) -> Mask:
    """(H, W) the pixels of a mask, or the frame of a box."""
    if instances.masks is not None:
        return decoded(instances.masks[i])
    left, top, width, height = instances.boxes[i].round().astype(int).tolist()
    frame = np.zeros(instances.size, dtype=bool)
    top, left, bottom, right = max(top, 0), max(left, 0), top + height, left + width
    frame[top:bottom, left:right] = True
    frame[top + _FRAME_PX : bottom - _FRAME_PX, left + _FRAME_PX : right - _FRAME_PX] = False
    return frame


def _shown(image: _Measured, photograph: Callable[[str], Tensor] | None) -> dict[str, Any]:
    size = fit_within(image.true.size, _LONGEST_PX)
    photo = np.full((*size, 3), 160, np.uint8)
    panels = []
    if photograph is not None:
        photo = as_picture(resize_image(photograph(image.key)[None], size)[0])
        panels.append(("Photograph", photo))
    fates = vars(image.matches)
    for name, instances, those in (
        ("Objects", image.true, ("found", "missed")),
        ("Instances", image.predicted, ("right", "doubled", "wrong")),
    ):
        small = resized_instances(instances, size)
        panels.append((name, paint_fates(photo, small, {one: fates[one] for one in those})))
    counts = image.matches.counts()
    about = ", ".join(f"{counts[one]} {one}" for one in ("found", "missed", "doubled", "wrong"))
    pictures = [{"name": name, "src": data_address(picture)} for name, picture in panels]
    return {"key": image.key, "about": about, "panels": pictures, "size": size}
