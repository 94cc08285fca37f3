"""Many splitter settings scored in one pass over the images.

Each image is decoded once; there is one gradient for each depth and sigma, one labelling for each
cut, and every area filter is answered from the same tables (`split_tables`). Tables are kept in
OUT/tables, so that a sweep that was stopped goes on where it was.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from relief.formats.depth_files import FolderDepth
from relief.formats.label_run import CODEBOOK
from relief.formats.label_store import LabelStore
from relief.formats.monocular_ups import CENTROIDS, MonocularUpsLabels
from relief.formats.reader import LabelReader
from relief.metrics.panoptic_statistics import Ids
from relief.metrics.protocols import PanopticProtocol, panoptic_protocol
from relief.metrics.scoring import Scorer
from relief.models.codebooks.codebook import Codebook
from relief.models.codebooks.thing_rule import Grouping, split_together
from relief.ops.centroid_groups import group_centroids
from relief.ops.matching import assignment_rule
from relief.processes.pools import process_pool
from relief.processes.progress import with_progress
from relief.schema.errors import ReadError, UsageError
from relief.schema.label_spaces import thing_mask
from relief.schema.sources import ImageSource
from relief.studies.scoring.label_sources import open_labels
from relief.studies.scoring.score import pixel_counts
from relief.studies.sweeps.cut_scores import ScoredSource
from relief.studies.sweeps.selection import rank_settings
from relief.studies.sweeps.sweep_findings import SourceFindings, findings
from relief.studies.sweeps.sweep_image import SharedReading
from relief.studies.sweeps.sweep_images import image_tables
from relief.studies.sweeps.sweep_plan import SweepRequest, SweepSource, settings
from relief.studies.sweeps.sweep_scores import score_settings
from relief.studies.sweeps.table_cache import ImageTables, SweepWork, determinants, fingerprint

TABLES = "tables"
_IMAGES_A_PROCESS = 60  # a process imports for as long as it needs for so many images


@dataclass(frozen=True)
class SweepResult:
    """The result of a sweep.

    Attributes:
        rows: The rows of `sweep.csv`, figures in percent.
        failures: Images that could not be read, one line each.
        images: How many have ground truth.
        seconds: How long it took.
    """

    rows: list[dict[str, Any]]
    failures: list[str]
    images: int
    seconds: float

    @property
    def headline(self) -> tuple[str, str]:
        """The protocol and the assignment that are shown first."""
        return self.rows[0]["protocol"], self.rows[0]["assignment"]

    @cached_property
    def sections(self) -> list[SourceFindings]:
        """The findings of each source under these."""
        return findings(self.rows, *self.headline)

    @property
    def ranked(self) -> list[dict[str, Any]]:
        """How well criteria without ground truth rank the settings of each source."""
        return [rank for one in self.sections for rank in rank_settings(one.name, one.rows)]


def run_sweep(request: SweepRequest) -> SweepResult:
    """Scores all settings of all sources.

    Raises:
        UsageError: There are no labels or no ground truth, or the labels cannot be split so.
        ReadError: No image can be read.
    """
    start = time.perf_counter()
    protocols = [panoptic_protocol(name) for name in request.protocols]
    rules = [assignment_rule(name) for name in request.assignments]
    shared = shared_reading(request, protocols)
    sources = [one for one in request.sources if request.path(one.labels).exists()]
    missing = [one for one in request.sources if one not in sources]
    failures = [f"left out {one.name}: no labels in {request.path(one.labels)}" for one in missing]
    if not sources:
        msg = f"no labels found: {request.path(missing[0].labels)}. Check --root and the sources."
        raise UsageError(msg)
    prepared = [prepare(source, request, shared) for source in sources]
    works = [work for work, _ in prepared]
    known = sorted({key for work in works for key in work.labels.keys})
    keys = [key for key in known if shared.truth.target_path(key) is not None]
    if not keys:
        msg = f"no labelled image has ground truth: {shared.truth.root}. Check root and split."
        raise UsageError(msg)
    found = _tables(works, keys, request.processes)
    rows: list[dict[str, Any]] = []
    for index, (source, (_, scored)) in enumerate(zip(sources, prepared, strict=True)):
        own = [image[index] for image in found]
        failures += [one for one in own if isinstance(one, str)]
        tables = [one for one in own if isinstance(one, ImageTables)]
        planned = settings(source, request)
        if not tables or not planned:
            continue
        rows += score_settings(scored, planned, tables, protocols, rules)
    failures = list(dict.fromkeys(failures))
    if not rows:
        raise ReadError(f"nothing to sweep: {'; '.join(failures[:3])}")
    return SweepResult(rows, failures, len(keys), time.perf_counter() - start)


def labels_to_make(request: SweepRequest) -> list[SweepSource]:
    """Lists the sources that label.py makes, or finds to be made as they are asked for."""
    return [source for source in request.sources if source.label_args]


def prepare(
    source: SweepSource, request: SweepRequest, shared: SharedReading
) -> tuple[SweepWork, ScoredSource]:
    """Prepares the work on the images of a source, and how its tables are scored.

    Raises:
        UsageError: There are no labels, or they do not say what is a thing.
    """
    space = shared.truth.label_space
    labels = open_labels(request.path(source.labels), source.format, shared.truth.split, space)
    if source.split_by == "classes":
        category = _published_classes(labels, shared.truth)
        things, num_categories = space.things, space.num_classes
        region = np.where(thing_mask(things, num_categories + 1).numpy()[category], category + 1, 0)
    else:
        category = np.arange(labels.num_categories)
        things, num_categories = tuple(labels.thing_ids or ()), labels.num_categories
        region = _groups(labels, source) + 1
    by_area = sorted(settings(source, request), key=lambda setting: -setting.min_area_px)
    cuts = {setting.cut: setting.splitter for setting in by_area}  # its least area filter
    work = SweepWork(
        labels=labels,
        region_of_cluster=region.astype(np.int64),
        category_of_cluster=category.astype(np.int64),
        cuts=cuts,
        shared=shared,
        cache=request.folder / TABLES / _folder_name(source.name),
        fingerprint="",
    )
    marked = fingerprint(labels=_identity(labels, source), **determinants(work))
    scored = ScoredSource(
        name=source.name,
        k=labels.num_categories,
        scorer=Scorer.of(space, num_categories, things),
        has_classes=source.split_by == "classes",
    )
    return replace(work, fingerprint=marked), scored


def _published_classes(labels: LabelReader, truth: ImageSource) -> Ids:
    """Class of each cluster by a majority vote of ground truth, as the labels bring it or ours."""
    space = truth.label_space
    brings_classes = (
        isinstance(labels, MonocularUpsLabels) and (labels.folder / CENTROIDS).is_file()
    )
    if isinstance(labels, MonocularUpsLabels) and brings_classes and space.num_classes == 19:
        return np.asarray(labels.class_of_cluster().numpy())
    counts = pixel_counts(labels, truth)
    scorer = Scorer.of(space, labels.num_categories)
    return scorer.fit(assignment_rule("majority"), counts).panoptic


def _groups(labels: LabelReader, source: SweepSource) -> Ids:
    """(K,) what is split together, -1 for stuff."""
    if isinstance(labels, LabelStore) and source.split_by == "groups":
        return np.asarray(labels.manifest.group_of_id.numpy())
    if not labels.thing_ids:
        msg = f"the labels do not say what is a thing: {source.labels}. Set split_by: classes."
        raise UsageError(msg)
    is_thing = thing_mask(labels.thing_ids, labels.num_categories).numpy()
    grouping: Grouping = "none"  # of labels that know no groups
    if source.split_by in ("one", "similar"):
        grouping = cast(Grouping, source.split_by)
    return split_together(is_thing, _similar(labels, source), grouping)


def _similar(labels: LabelReader, source: SweepSource) -> Ids:
    """(K,) groups of alike clusters, as the codebook of the labels has them."""
    if source.split_by != "similar":
        return np.arange(labels.num_categories)
    if not isinstance(labels, LabelStore) or not (labels.out / CODEBOOK).is_file():
        msg = f"no codebook to group by: {source.labels}. Set split_by: one, none or classes."
        raise UsageError(msg)
    codebook = Codebook()
    codebook.load(labels.out / CODEBOOK)
    fraction = codebook.metadata["things"]["merge_fraction"]
    return group_centroids(codebook.centroids, fraction).groups


def _identity(labels: LabelReader, source: SweepSource) -> str:
    """Returns the identity of labels: their manifest where they have one, else format and path."""
    if isinstance(labels, LabelStore):
        return fingerprint(manifest=labels.manifest.to_json())
    return f"{source.format} {Path(source.labels).resolve()}"


def _folder_name(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def shared_reading(request: SweepRequest, protocols: Sequence[PanopticProtocol]) -> SharedReading:
    """Collects the inputs that all sources share."""
    return SharedReading(
        truth=request.ground_truth,
        depths={
            depth.name: FolderDepth(request.path(depth.root), depth.normalise, depth.inverse)
            for depth in request.depths
        },
        split_short_side_px=request.split_short_side_px,
        short_sides_px=tuple(sorted({0, *(protocol.short_side_px for protocol in protocols)})),
    )


def _tables(
    works: Sequence[SweepWork], keys: Sequence[str], processes: int | None
) -> list[list[ImageTables | str | None]]:
    """For each image, the tables of each source."""
    worth_starting = max(len(keys) // _IMAGES_A_PROCESS, 1)
    count = processes or min(os.cpu_count() or 1, worth_starting)
    with process_pool(count) if count > 1 else nullcontext() as pool:
        work = partial(image_tables, works)
        done = map(work, keys) if pool is None else pool.map(work, keys, chunksize=4)
        return list(with_progress(done, "splitting", len(keys)))
