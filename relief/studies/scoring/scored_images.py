"""Labels and ground truth read once, image by image, and kept as joint tables only."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from relief.formats.reader import LabelReader, refuse_other_shape
from relief.metrics.panoptic_statistics import Ids
from relief.metrics.scoring import JointRows, Scorer
from relief.metrics.semantic_iou import CategoryCounts
from relief.ops.panoptic import segment_table
from relief.ops.resize import resize_nearest
from relief.processes.progress import with_progress
from relief.schema.batch import Failure, first_reasons
from relief.schema.errors import ReadError, UsageError, reason_of
from relief.schema.geometry import shrunk_size
from relief.schema.sources import ImageSource


@dataclass(frozen=True)
class ScoredImages:
    """Joint tables of images, sorted by key.

    Attributes:
        keys: Images that were read.
        tables: By short side in pixels (0 = ground-truth size): the (N, 5) table of each image.
        counts: Pixels of panoptic categories by class: what assignments are fitted on.
        semantic: Pixels of the maps before splitting by class: what mIoU is of.
        category_px: (K,) all pixels of each category of these maps, also where the true class is
            void.
        failures: Images that could not be read.
    """

    keys: list[str]
    tables: dict[int, list[Ids]]
    counts: CategoryCounts
    semantic: CategoryCounts
    category_px: Ids
    failures: list[Failure]

    def joined(self, short_side_px: int = 0) -> JointRows:
        """The rows of all images at that size of comparison."""
        return JointRows.of(self.tables[short_side_px])


@dataclass(frozen=True)
class _Image:
    tables: dict[int, Ids]
    counts: CategoryCounts
    semantic: CategoryCounts
    category_px: Ids


def read_scored_images(
    labels: LabelReader,
    truth: ImageSource,
    short_sides_px: Iterable[int] = (0,),
) -> ScoredImages:
    """Reads every labelled image that has ground truth.

    Args:
        labels: The labels; maps of another size than the target are brought to it, nearest.
        truth: The ground truth and its classes.
        short_sides_px: Sizes to compare at besides the ground truth's; images are not enlarged.

    Raises:
        UsageError: No labelled image has ground truth.
        ReadError: Of none of them labels and ground truth can be read.
    """
    keys = [key for key in labels.keys if truth.target_path(key) is not None]
    if not keys:
        msg = (
            f"no labelled image has ground truth: {truth.root} (looked for the labelled keys). "
            "Check --root and --split."
        )
        raise UsageError(msg)
    scorer = Scorer.of(truth.label_space, labels.num_categories)
    sizes = sorted({0, *short_sides_px})

    def read(key: str) -> _Image | Failure:
        try:
            return _read(labels, truth, key, scorer, sizes)
        except Exception as error:
            return Failure(key=key, reason=reason_of(error, key))

    read_images = dict(zip(keys, _in_threads(read, keys, "scoring"), strict=True))
    images = {key: image for key, image in read_images.items() if isinstance(image, _Image)}
    failures = [failure for failure in read_images.values() if not isinstance(failure, _Image)]
    if not images:
        msg = f"none of {len(keys)} images can be scored: {first_reasons(failures)}"
        raise ReadError(msg)
    nothing = scorer.counts(np.zeros((0, 5), np.int64))
    return ScoredImages(
        keys=list(images),
        tables={size: [image.tables[size] for image in images.values()] for size in sizes},
        counts=sum((image.counts for image in images.values()), nothing),
        semantic=sum((image.semantic for image in images.values()), nothing),
        category_px=np.sum([image.category_px for image in images.values()], axis=0),
        failures=failures,
    )


def _read(
    labels: LabelReader,
    truth: ImageSource,
    key: str,
    scorer: Scorer,
    short_sides_px: Sequence[int],
) -> _Image:
    target = truth.target(key)
    own_size = (target.shape[0], target.shape[1])
    panoptic = labels.panoptic(key)
    refuse_other_shape(key, own_size, panoptic.shape[:2], "ground truth")
    predicted = _pairs_at(panoptic, own_size)
    semantic = resize_nearest(labels.semantic(key), own_size)
    tables: dict[int, Ids] = {}
    for side in short_sides_px:
        size = shrunk_size(own_size, side)
        if size == own_size and tables:
            tables[side] = tables[0]
            continue
        table = segment_table(_pairs_at(predicted, size), _pairs_at(target, size))
        tables[side] = table.numpy()
    pixels = segment_table(
        torch.stack((semantic, torch.zeros_like(semantic)), dim=-1),
        torch.stack((target[..., 0], torch.zeros_like(target[..., 0])), dim=-1),
    ).numpy()
    return _Image(
        tables,
        scorer.counts(tables[0]),
        scorer.counts(pixels),
        _category_px(pixels, scorer.num_categories),
    )


def _category_px(table: Ids, num_categories: int) -> Ids:
    known = table[(table[:, 0] >= 0) & (table[:, 0] < num_categories)]
    counts = np.bincount(known[:, 0], weights=known[:, 4], minlength=num_categories)
    return counts.astype(np.int64)


def _pairs_at(pairs: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(pairs.shape[:2]) == size:
        return pairs
    return resize_nearest(pairs.movedim(-1, 0), size).movedim(0, -1)


def _in_threads(
    work: Callable[[str], _Image | Failure], keys: Sequence[str], what: str
) -> list[_Image | Failure]:
    """Threads, not processes: decoding and counting leave the interpreter to the others."""
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return list(with_progress(pool.map(work, keys), what, len(keys)))
