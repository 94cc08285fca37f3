"""Two runs side by side: which is better, where, and by more than chance."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from relief.formats.label_store import LabelStore
from relief.formats.reader import LabelReader
from relief.metrics.bootstrap import paired_intervals
from relief.metrics.panoptic_averages import averages_of_draws
from relief.metrics.panoptic_statistics import Mask
from relief.metrics.protocols import panoptic_protocol
from relief.metrics.scoring import PERCENT, Figures, Scorer
from relief.ops.matching import assignment_rule
from relief.ops.objects.object_agreement import ObjectAgreement, object_agreement
from relief.ops.panoptic import numbered_objects
from relief.processes.progress import with_progress
from relief.schema.errors import ReadError, UsageError
from relief.schema.label_spaces import thing_mask
from relief.schema.manifest import changes
from relief.schema.sources import keys_with_target
from relief.studies.measured_on import MeasuredOn
from relief.studies.scoring.label_sources import STORE, are_class_ids, open_labels
from relief.studies.scoring.score import thing_categories
from relief.studies.scoring.scored_images import read_scored_images
from relief.studies.study import StudyResult, StudyTable

_FIGURES = {"pq": "PQ", "pq_things": "things", "pq_stuff": "stuff", "sq": "SQ", "rq": "RQ"}
_MOST_DIFFERENT = 20


@dataclass(frozen=True)
class CompareRequest(MeasuredOn):
    """Puts two runs side by side: settings, objects, figures with paired intervals, images.

    Without ground truth it says how far they agree; with ground truth, which one is better.

    Args:
        labels: The folders of two runs over the same images.
        root: Cityscapes folder with gtFine.
        split: Split that is compared.
        format: store, coco_panoptic, cityscapes, cups or monocular_ups.
        protocol: panopticapi, cups or seed.
        assignment: How clusters meet classes.
        label_space: 19 or 27 classes of Cityscapes.
        truth: Any data set with ground truth, in place of `root`, `split` and `label_space`.
        out: Folder for table.csv (every image) and table.md; outputs/compare/A_B by default.
    """

    labels: list[str]
    format: str = STORE
    protocol: Literal["panopticapi", "cups", "seed"] = "panopticapi"
    assignment: Literal["majority", "hungarian"] = "majority"
    out: str | None = None

    @property
    def folder(self) -> Path:
        """Where the result goes."""
        names = "_".join(Path(path).name for path in self.labels)
        return Path(self.out or f"outputs/compare/{names}")

    @property
    def prepared(self) -> Comparison:
        """The comparison, as a study that makes no labels.

        Raises:
            UsageError: There are not two runs.
        """
        if len(self.labels) != 2:
            msg = f"two runs are compared: got {len(self.labels)}. Give --labels A --labels B."
            raise UsageError(msg)
        return Comparison(self)


class Comparison:
    """Reads both runs and compares them image by image."""

    def __init__(self, request: CompareRequest) -> None:
        self.request = request
        self.truth = request.ground_truth
        self.names = _names(request.labels)

    def prepare(self, say: Callable[[str], None]) -> None:
        """Makes nothing: the runs are there."""

    def run(self) -> StudyResult:
        """Compares.

        Raises:
            UsageError: There are no labels, or they share no image.
        """
        start = time.perf_counter()
        space = self.truth.label_space
        first, second = (
            open_labels(Path(path), self.request.format, self.truth.split, space)
            for path in self.request.labels
        )
        keys = sorted(set(first.keys) & set(second.keys))
        if not keys:
            msg = f"no image in common: {' and '.join(self.request.labels)}. Check --labels."
            raise UsageError(msg)
        agreements, failures = _agreements(first, second, keys)
        tables = [_settings(first, second, self.names), _objects(agreements, self.names)]
        true = self._true_keys(keys)
        images = {key: {"image": key, **_row(one)} for key, one in agreements.items()}
        notes = [f"{len(agreements)} images that both have."]
        if true:
            scored, common = self._scores(first, second, true)
            tables.append(self._figures(scored))
            for key, difference in zip(common, self._by_image(scored), strict=True):
                images.setdefault(key, {"image": key})["pq_difference"] = difference
            notes.append(f"Figures are of {len(common)} images with ground truth, in percent.")
        else:
            notes.append("No ground truth: nobody can say which is better, only where they differ.")
        tables.append(_most_different(list(images.values()), has_truth=bool(true)))
        seconds = time.perf_counter() - start
        return StudyResult(tables, list(images.values()), notes, seconds=seconds, failures=failures)

    def _true_keys(self, keys: Sequence[str]) -> set[str]:
        try:
            return set(keys_with_target(self.truth)) & set(keys)
        except UsageError:  # no such tree: the labels alone are compared
            return set()

    def _scores(
        self, first: LabelReader, second: LabelReader, true: set[str]
    ) -> tuple[list[Figures], list[str]]:
        """The figures of both over the images that can be scored in both."""
        protocol = panoptic_protocol(self.request.protocol)
        sides = {protocol.short_side_px}
        read = partial(read_scored_images, truth=self.truth, short_sides_px=sides)
        images = [read(_Only(labels, true)) for labels in (first, second)]
        common = set(images[0].keys) & set(images[1].keys)
        figures = []
        for labels, own in zip((first, second), images, strict=True):
            seen = own if set(own.keys) == common else read(_Only(labels, common))
            things = thing_categories(labels, seen)
            scorer = Scorer.of(self.truth.label_space, labels.num_categories, things)
            classes = are_class_ids(labels, self.request.format, self.truth.label_space)
            rule = "identity" if classes else self.request.assignment
            fitted = scorer.fit(assignment_rule(rule), seen.counts)
            confusion = scorer.confusion(seen.semantic, fitted)
            rows = seen.joined(protocol.short_side_px)
            figures.append(scorer.figures(rows, confusion, fitted, protocol))
        return figures, sorted(common)

    @property
    def _is_thing(self) -> Mask:
        """(C,) bool."""
        space = self.truth.label_space
        return thing_mask(space.things, space.num_classes).numpy()

    def _figures(self, scored: Sequence[Figures]) -> StudyTable:
        """Both rows, the difference and its interval."""
        protocol = panoptic_protocol(self.request.protocol)
        first, second = (one.statistics for one in scored)
        intervals = paired_intervals(first, second, self._is_thing, protocol)
        rows = []
        for name, heading in _FIGURES.items():
            values = [PERCENT * float(getattr(one.row, name)) for one in scored]
            low, high = (PERCENT * bound for bound in intervals[name])
            chance = "" if low > 0 or high < 0 else "may be chance"
            difference = f"{values[1] - values[0]:+.1f}"
            rows.append((heading, *values, difference, f"{low:+.1f} to {high:+.1f}", chance))
        values = [PERCENT * one.row.miou for one in scored]
        rows.append(("mIoU", *values, f"{values[1] - values[0]:+.1f}", "", ""))
        columns = ("", *self.names, "difference", "95 % (same images)", "")
        return StudyTable("Against ground truth", columns, rows)

    def _by_image(self, scored: Sequence[Figures]) -> list[float]:
        """PQ of the second less that of the first, image by image, in percent; nan where none."""
        protocol = panoptic_protocol(self.request.protocol)
        values = []
        for one in scored:
            totals = {
                name: getattr(one.statistics, name).astype(float)
                for name in ("iou_sum", "tp", "fp", "fn")
            }
            values.append(averages_of_draws(totals, self._is_thing, protocol)["pq"])
        return [PERCENT * float(value) for value in values[1] - values[0]]


class _Only:
    """Some of the images of labels."""

    def __init__(self, labels: LabelReader, keys: set[str]) -> None:
        self._labels = labels
        self.keys = sorted(keys)
        self.num_categories, self.thing_ids = labels.num_categories, labels.thing_ids
        self.semantic, self.panoptic = labels.semantic, labels.panoptic


def _names(labels: Sequence[str]) -> tuple[str, str]:
    """Folder names, as much of the path as tells them apart."""
    first, second = (Path(path).parts for path in labels)
    count = 1
    while first[-count:] == second[-count:] and count < max(len(first), len(second)):
        count += 1
    return "/".join(first[-count:]), "/".join(second[-count:])


def _agreements(
    first: LabelReader, second: LabelReader, keys: Sequence[str]
) -> tuple[dict[str, ObjectAgreement], list[str]]:
    found, failures = dict[str, ObjectAgreement](), list[str]()
    for key in with_progress(keys, "comparing", len(keys)):
        try:
            maps = (numbered_objects(labels.panoptic(key)) for labels in (first, second))
            found[key] = object_agreement(*maps)
        except (ReadError, ValueError) as error:
            failures.append(f"{key}: {error}")
    return found, failures


def _settings(first: LabelReader, second: LabelReader, names: Sequence[str]) -> StudyTable:
    rows = []
    if isinstance(first, LabelStore) and isinstance(second, LabelStore):
        rows = changes(first.manifest, second.manifest)
    told = rows or [("nothing that manifests tell", "", "")]
    return StudyTable("What differs", ("", *names), told)


def _objects(agreements: dict[str, ObjectAgreement], names: Sequence[str]) -> StudyTable:
    every, images = list(agreements.values()), max(1, len(agreements))
    counts = sum(one.first for one in every), sum(one.second for one in every)
    area = [sum(int(one.thing_px[i]) for one in every) for i in (0, 1)]
    shared, both = sum(one.shared for one in every), sum(one.both_px for one in every)
    union = sum(area) - both
    rows = [
        ("objects an image", counts[0] / images, counts[1] / images),
        ("of them in the other too, %", *(_share(shared, count) for count in counts)),
        ("mean object, px", *(a / max(1, c) for a, c in zip(area, counts, strict=True))),
        ("pixels in objects of both, of either, %", _share(both, union), None),
    ]
    return StudyTable("Objects, whatever they are called", ("", *names), rows)


def _share(part: int, whole: int) -> float:
    return PERCENT * part / whole if whole else math.nan


def _row(one: ObjectAgreement) -> dict[str, Any]:
    return {
        "objects_first": one.first,
        "objects_second": one.second,
        "shared": one.shared,
        "agreement": one.agreement,
    }


def _most_different(images: list[dict[str, Any]], *, has_truth: bool) -> StudyTable:
    name = "pq_difference" if has_truth else "agreement"
    known = [row for row in images if math.isfinite(row.get(name, math.nan))]
    known.sort(key=lambda row: (-abs(row[name]) if has_truth else row[name], row["image"]))
    columns = ("image", name.replace("_", " "), "objects", "objects of the second", "shared")
    cells = ("image", name, "objects_first", "objects_second", "shared")
    rows = [tuple(row.get(cell) for cell in cells) for row in known[:_MOST_DIFFERENT]]
    return StudyTable("Images that differ most", columns, rows)
