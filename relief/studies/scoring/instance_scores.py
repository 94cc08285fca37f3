"""Average precision of instances and what became of each object: `evaluate.py instances`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor

from relief.formats.reader import refuse_other_shape
from relief.metrics.coco_evaluation import InstanceTable
from relief.metrics.instance_ap import (
    BOXES,
    BY_CLASS,
    COCO,
    MASKS,
    PER_CLASS,
    InstanceAveragePrecision,
)
from relief.metrics.instance_matches import InstanceMatches, match_instances
from relief.metrics.scoring import PERCENT
from relief.ops.objects.instance_masks import resized_instances
from relief.processes.progress import with_progress
from relief.schema.batch import Failure, first_reasons
from relief.schema.errors import ReadError, UsageError, reason_of
from relief.schema.instances import ImageInstances, InstanceReader
from relief.schema.selection import evenly_spaced

CLASS_FIGURES = ("ap", "ap50", "ap75")


@dataclass(frozen=True)
class MeasuredImage:
    """One image as it was measured.

    Attributes:
        key: The image.
        predicted: Its surest 100 instances.
        true: Its objects.
        matches: What was found, without classes.
    """

    key: str
    predicted: ImageInstances
    true: ImageInstances
    matches: InstanceMatches


@dataclass(frozen=True)
class InstanceScores:
    """Figures of instances.

    Attributes:
        metrics: By kind (`boxes`, `masks`, each also `_by_class`), figures in percent by name;
            under `counts` how many were found, missed, right, doubled and wrong at IoU 0.5, and
            how many images were read.
        examples: Some images, evenly spaced over the keys.
        failures: Images that could not be read.
        keys: Images that were measured, sorted.
        tables: One for each image without classes, of masks where there are any, in an order that
            the keys decide.
    """

    metrics: dict[str, dict[str, Any]]
    examples: Sequence[MeasuredImage]
    failures: Sequence[Failure]
    keys: Sequence[str]
    tables: Sequence[InstanceTable]


def score_instances(
    predicted: InstanceReader,
    truth: InstanceReader,
    class_names: Mapping[int, str] | None = None,
    *,
    by_area: bool = False,
    num_examples: int = 0,
) -> InstanceScores:
    """Measures every image that both sides have.

    Args:
        predicted: Instances; of another size than the ground truth they are brought to it.
        truth: Objects.
        class_names: Classes by id that are also measured one by one.
        by_area: Whether larger instances are surer, whatever their scores say.
        num_examples: How many images are kept to be looked at.

    Raises:
        UsageError: No image is on both sides.
        ReadError: None of them can be read.
    """
    known = set(truth.keys)
    keys = [key for key in predicted.keys if key in known]
    if not keys:
        msg = "no image has both instances and ground truth. Check --truth, --root and --split."
        raise UsageError(msg)
    kinds = [BOXES, MASKS] if predicted.has_masks and truth.has_masks else [BOXES]
    metric = InstanceAveragePrecision(tuple(class_names or ()), kinds)

    def read(key: str) -> tuple[ImageInstances, ImageInstances] | Failure:
        try:
            true, instances = truth.instances(key), predicted.instances(key)
            refuse_other_shape(key, true.size, instances.size, "ground truth")
            instances = resized_instances(instances, true.size)
            return (_ranked_by_area(instances) if by_area else instances), true
        except Exception as error:
            return Failure(key=key, reason=reason_of(error, key))

    counts: Counter[str] = Counter()
    failures: list[Failure] = []
    examples: list[MeasuredImage] = []
    shown = set(evenly_spaced(keys, num_examples))
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        images = with_progress(pool.map(read, keys), "instances", len(keys))
        for key, one in zip(keys, images, strict=True):
            if not isinstance(one, tuple):
                failures.append(one)
                continue
            metric.update([one[0]], [one[1]], [key])
            image = _measured(key, *one, kinds[-1])
            counts.update(image.matches.counts())
            examples += [image] if key in shown else []
    if len(failures) == len(keys):
        msg = f"none of {len(keys)} images can be measured: {first_reasons(failures)}"
        raise ReadError(msg)
    metrics = _by_kind(metric.compute(), class_names or {})
    metrics["counts"] = {**counts, "images": len(keys) - len(failures)}
    failed = {failure["key"] for failure in failures}
    measured = sorted(key for key in keys if key not in failed)
    return InstanceScores(metrics, examples, failures, measured, metric.tables(kinds[-1]))


def _measured(
    key: str, instances: ImageInstances, objects: ImageInstances, kind: str
) -> MeasuredImage:
    surest = np.argsort(-instances.scores, kind="stable")[: COCO.max_instances[-1]]
    predicted = instances.at(surest)
    return MeasuredImage(key, predicted, objects, match_instances(predicted, objects, kind))


def _ranked_by_area(instances: ImageInstances) -> ImageInstances:
    height, width = instances.size
    return replace(instances, scores=instances.area_px / (height * width))


def _by_kind(
    figures: Mapping[str, Tensor], class_names: Mapping[int, str]
) -> dict[str, dict[str, Any]]:
    """Figures in percent by kind and name, those of single classes by the name of the class."""
    metrics: dict[str, dict[str, Any]] = {}
    for path, value in figures.items():
        kind, _, name = path.partition("/")
        if not name:
            continue
        row = metrics.setdefault(kind, {})
        if name != PER_CLASS:
            row[name] = PERCENT * float(value)
        elif kind.endswith(BY_CLASS):
            rows = zip(class_names.values(), (PERCENT * value).tolist(), strict=True)
            row[name] = {one: dict(zip(CLASS_FIGURES, each, strict=True)) for one, each in rows}
    return metrics
