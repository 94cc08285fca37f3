"""The health of labels at a glance, without ground truth: green, amber or red, a sentence each."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from relief.formats.files.atomic import write_text
from relief.formats.label_store import finished_store
from relief.ops.panoptic import numbered_objects
from relief.processes.progress import with_progress
from relief.schema.errors import ReliefError
from relief.schema.label_spaces import VOID
from relief.schema.selection import evenly_spaced

HEALTH = "health.json"
Level = Literal["green", "amber", "red"]
_FULL_SHARE = 0.9  # of an image that one object or category covers
_SMALL_SHARE = 0.0002  # of an image; 400 px of a Cityscapes frame
_FLAT_RANGE = 0.05  # of depth in [0, 1], between its 5th and 95th percentile
log = logging.getLogger("relief")


class Finding(NamedTuple):
    """One thing that was looked at, how it is, and what it means."""

    level: Level
    sentence: str


@dataclass
class LabelHealth:
    """Counts over some images; `add` each of them, and depth where it is at hand.

    Attributes:
        is_thing: (num_categories,) bool.
        void: Share of void, by image.
        objects: How many objects, by image.
        sizes: Share of its image that each object covers.
        largest: Share of the image that its largest category or void covers, by image.
        used: (num_categories,) bool, ids that occur before splitting.
        confidence: Mean, by image.
        depth_range: By image.
        is_inverted: Whether what is below is farther than what is above, by image.
    """

    is_thing: Tensor
    void: list[float] = field(default_factory=list)
    objects: list[int] = field(default_factory=list)
    sizes: list[float] = field(default_factory=list)
    largest: list[float] = field(default_factory=list)
    used: Tensor = field(init=False)
    confidence: list[float] = field(default_factory=list)
    depth_range: list[float] = field(default_factory=list)
    is_inverted: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.used = torch.zeros(len(self.is_thing), dtype=torch.bool)

    def add(self, panoptic: Tensor, semantic: Tensor, confidence: Tensor | None = None) -> None:
        """Counts one image.

        Args:
            panoptic: (H, W, 2) int64 (category, instance).
            semantic: (H, W) int64 ids before splitting, -1 = ignore.
            confidence: (H, W) in [0, 1], where a labeller said how sure it is.
        """
        pixels = panoptic[..., 0].numel()
        areas = numbered_objects(panoptic).flatten().bincount()[1:] / pixels
        counts = (panoptic[..., 0] + 1).flatten().bincount() / pixels
        self.void.append(float(counts[0]))
        self.largest.append(float(counts.max()))
        self.objects.append(len(areas))
        self.sizes += areas.tolist()
        self.used[semantic[semantic != VOID].unique()] = True
        if confidence is not None:
            self.confidence.append(float(confidence.mean()))

    def add_depth(self, depth: Tensor | None) -> None:
        """Counts the depth of one image: (1, h, w) in [0, 1], 0 near, 1 far."""
        if depth is None:
            return
        rows = depth[0].float()
        low, high = rows.flatten().quantile(torch.tensor((0.05, 0.95), device=rows.device))
        fifth = max(1, len(rows) // 5)
        self.depth_range.append(float(high - low))
        self.is_inverted.append(bool(rows[-fifth:].mean() > rows[:fifth].mean()))

    def findings(self) -> list[Finding]:
        """Returns all that can be said, the worst first."""
        found = [self._void(), *self._masks(), *self._objects(), *self._ids(), *self._sureness()]
        found += self._depth()
        return sorted(found, key=lambda one: ("red", "amber", "green").index(one.level))

    def _void(self) -> Finding:
        share = _mean(self.void)
        words = f"{_percent(share)} of the pixels have no label"
        return Finding(_level(share, 0.1, 0.5), f"{words}.")

    def _masks(self) -> list[Finding]:
        share = _mean([one >= _FULL_SHARE for one in self.largest])
        words = f"in {_percent(share)} of the images one category, or nothing, covers all"
        advice = ". Look at codebook and features." if share > 0.5 else "."
        return [Finding(_level(share, 0.1, 0.5), words + advice)]

    def _objects(self) -> list[Finding]:
        if not bool(self.is_thing.any()):
            return [Finding("red", "no id is a thing: nothing is split. Look at the thing rule.")]
        empty = _mean([count == 0 for count in self.objects])
        words = f"{_percent(empty)} of the images have no object"
        found = [Finding(_level(empty, 0.5, 0.95), f"{words}.")]
        if not self.sizes:
            return found
        count = _mean(self.objects)
        small = _mean([size < _SMALL_SHARE for size in self.sizes])
        large = _mean([size >= _FULL_SHARE for size in self.sizes])
        words = f"{count:.1f} objects an image, {_percent(small)} of them tiny"
        worse: Level = "amber" if count > 100 or small > 0.5 else "green"
        advice = ". Raise the area filter." if worse == "amber" else "."
        found.append(Finding(worse, words + advice))
        words = f"{_percent(large)} of the objects cover their whole image"
        return [*found, Finding(_level(large, 0.05, 0.5), f"{words}.")]

    def _ids(self) -> list[Finding]:
        unused = int((~self.used).sum())
        words = f"{unused} of {len(self.used)} ids occur in no image looked at"
        level = _level(unused / len(self.used), 0.5, 0.95)
        advice = "." if level == "green" else ". Few images get fewer clusters, as the log says."
        return [Finding(level, words + advice)]

    def _sureness(self) -> list[Finding]:
        if not self.confidence:
            return []
        mean = _mean(self.confidence)
        level = _level(1 - mean, 0.7, 0.99)
        return [Finding(level, f"the labeller is {_percent(mean)} sure, on average.")]

    def _depth(self) -> list[Finding]:
        if not self.depth_range:
            return []
        flat = _mean([one < _FLAT_RANGE for one in self.depth_range])
        words = f"{_percent(flat)} of the depth maps are flat"
        found = [Finding(_level(flat, 0.1, 0.5), f"{words}.")]
        turned = _mean(self.is_inverted)
        if turned > 0.5:
            words = f"in {_percent(turned)} of the depth maps what is below is farther"
            found.append(Finding("amber", f"{words}: are near and far swapped?"))
        return found


def _level(share: float, amber: float, red: float) -> Level:
    """Returns red above one share, amber above the other, else green."""
    return "red" if share > red else "amber" if share > amber else "green"


def _mean(values: list[float] | list[int] | list[bool]) -> float:
    return sum(values) / max(1, len(values))


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def write_health(out: Path, health: LabelHealth) -> list[Finding]:
    """Writes OUT/health.json and tells the log what is red.

    Returns:
        The findings, the worst first.

    Raises:
        WriteError: The file cannot be written.
    """
    found = health.findings()
    content = {"images": len(health.void), "findings": [one._asdict() for one in found]}
    write_text(Path(out) / HEALTH, f"{json.dumps(content, indent=1)}\n")
    for one in found:
        if one.level == "red":
            log.warning("health: %s", one.sentence)
    return found


def read_health(out: Path) -> list[Finding]:
    """Returns the findings that `write_health` wrote."""
    content = json.loads((Path(out) / HEALTH).read_text(encoding="utf-8"))
    return [Finding(**one) for one in content["findings"]]


def refuse_red(found: list[Finding]) -> None:
    """Refuses labels about which anything is red; raises `ReliefError`, exit code 1."""
    if red := [one.sentence.rstrip(".") for one in found if one.level == "red"]:
        msg = f"labels are not healthy: {'; '.join(red)}. See report.html or {HEALTH}."
        raise ReliefError(msg)


@dataclass(frozen=True)
class HealthRequest:
    """Says how labels look, without ground truth: green, amber or red, a sentence each.

    Args:
        labels: The label store.
        out: Where health.json goes.
        images: How many images are looked at, evenly spaced.
        strict: Whether red is an error (exit code 1).
    """

    labels: str
    out: str
    images: int = 200
    strict: bool = False

    @property
    def folder(self) -> Path:
        """Where the file goes."""
        return Path(self.out)

    def write(self) -> Path:
        """Writes and tells the findings; returns the path of the file.

        Raises:
            UsageError: There is no finished store.
            ReadError: Labels of an image cannot be read.
            ReliefError: Something is red and `strict`.
        """
        store = finished_store(Path(self.labels))
        health = LabelHealth(store.manifest.is_thing)
        keys = evenly_spaced(store.keys, self.images)
        for key in with_progress(keys, "health", len(keys)):
            health.add(store.panoptic(key), store.semantic(key), store.confidence(key))
        found = write_health(self.folder, health)
        for one in found:
            log.info("%s: %s", one.level, one.sentence)
        if self.strict:
            refuse_red(found)
        return self.folder / HEALTH
