"""Measures of a drawn sample: coverage, contact, colour and texture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cc3d
import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold, cross_val_predict

from relief.ops.depth_edges import gradient_magnitude_cpu
from relief.schema.label_spaces import CITYSCAPES_19
from relief.sources.cityscapes import CityscapesSource

GRADIENT_THRESHOLD = 0.20
MIN_OBJECT_PX = 32
MIN_VOTERS = 50


@dataclass(frozen=True)
class GroundTruth:
    """One image of the sample.

    Attributes:
        image: (H, W, 3) uint8, RGB.
        category: (H, W) int64 class ids of the 19, -1 = void.
        instance: (H, W) int64, 0 = none.
        depth: (H, W) float32 in [0, 1], or nothing if the sample has no depth.
    """

    image: NDArray[np.uint8]
    category: NDArray[np.int64]
    instance: NDArray[np.int64]
    depth: NDArray[np.float32] | None


@dataclass(frozen=True)
class Touching:
    """Things and their contact with others of their class.

    Attributes:
        things: How many there are.
        touching: How many share a border of 4-neighbours with another of their class.
        pairs: How many such pairs there are.
        visible_pairs: Pairs whose border lies, for its greater part, above the gradient threshold.
    """

    things: int
    touching: int
    pairs: int
    visible_pairs: int


@dataclass(frozen=True)
class ColourGuess:
    """The accuracy of a classifier on the mean RGB of objects, cross-validated over images.

    Attributes:
        objects: How many there are.
        accuracy: Share of them guessed right.
        majority: Share of the most frequent class: the accuracy of a guess without colour.
        balanced_accuracy: Mean over the classes, classes weighted equally in learning too.
        chance: One over the number of classes: the balanced accuracy of a guess without colour.
    """

    objects: int
    accuracy: float
    majority: float
    balanced_accuracy: float
    chance: float


def read_split(root: Path, split: str) -> Iterator[GroundTruth]:
    """The images of a split in the order of their keys."""
    source = CityscapesSource(root, split)
    for key in source.keys:
        target = source.target(key).numpy()
        depth_path = root / "depth" / split / f"{key}.npy"
        yield GroundTruth(
            cv2.cvtColor(cv2.imread(str(source.image_path(key))), cv2.COLOR_BGR2RGB),
            target[..., 0],
            target[..., 1],
            np.load(depth_path).astype(np.float32) if depth_path.exists() else None,
        )


def class_coverage(truths: list[GroundTruth]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """How many images each class is in (C,), and its share of all pixels (C,)."""
    counts = np.stack([_histogram(truth.category) for truth in truths])
    pixels = sum(truth.category.size for truth in truths)
    return (counts > 0).sum(0), counts.sum(0) / pixels


def _histogram(category: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.bincount(category[category >= 0], minlength=CITYSCAPES_19.num_classes)


def group_images(truths: list[GroundTruth]) -> tuple[int, float]:
    """How many images have a group region (a thing class without objects), and the void share."""
    groups = sum(
        bool((np.isin(truth.category, CITYSCAPES_19.things) & (truth.instance == 0)).any())
        for truth in truths
    )
    return groups, float(np.mean([(truth.category < 0).mean() for truth in truths]))


def touching_things(truths: list[GroundTruth]) -> Touching:
    """Counts the things that touch one of their own class, and the pairs that depth parts."""
    things = touching = pairs = visible = 0
    for truth in truths:
        segment = np.where(truth.instance > 0, truth.category * 1000 + truth.instance, 0)
        things += len(np.unique(segment)) - int((segment == 0).any())
        edge = None
        if truth.depth is not None:
            edge = gradient_magnitude_cpu(truth.depth) > GRADIENT_THRESHOLD
        borders = _borders(segment, edge)
        pairs += len(borders)
        touching += len({member for pair in borders for member in pair})
        visible += sum(on_edge > 0.5 for on_edge in borders.values())
    return Touching(things, touching, pairs, visible)


def _borders(
    segment: NDArray[np.int64], edge: NDArray[np.bool_] | None
) -> dict[tuple[int, int], float]:
    """Pairs of one class that touch, with the share of their border that lies on an edge."""
    found = []
    for first, second in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        a, b = segment[first], segment[second]
        contact = (a != b) & (a > 0) & (b > 0) & (a // 1000 == b // 1000)
        on_edge = np.zeros(contact.sum()) if edge is None else edge[first][contact]
        pair = np.sort(np.stack((a[contact], b[contact]), 1), axis=1)
        found.append(np.column_stack((pair, on_edge)))
    rows = np.concatenate(found)
    pairs, member = np.unique(rows[:, :2], axis=0, return_inverse=True)
    member = member.reshape(-1)
    share = np.bincount(member, rows[:, 2], len(pairs)) / np.maximum(1, np.bincount(member))
    return {(int(a), int(b)): float(s) for (a, b), s in zip(pairs, share, strict=True)}


def object_colours(
    truths: list[GroundTruth],
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Mean RGB of every thing and every connected region of stuff.

    Returns:
        (N, 3) colours in 0..255, (N,) class ids, (N,) number of the image.
    """
    colours, classes, images = [], [], []
    for number, truth in enumerate(truths):
        is_object = truth.instance > 0
        is_thing = np.isin(truth.category, CITYSCAPES_19.things)
        stuff = np.where(is_thing, 0, truth.category + 1).astype(np.uint8)
        region = cc3d.connected_components(stuff, connectivity=4).astype(np.int64)
        thing = region.max() + truth.category * 1000 + truth.instance
        member = np.where(is_object, thing, region).ravel()
        area = np.bincount(member)
        large = np.flatnonzero(area >= MIN_OBJECT_PX)
        large = large[large > 0]
        sums = [np.bincount(member, truth.image[..., c].ravel())[large] for c in range(3)]
        class_of = np.zeros(len(area), np.int64)
        class_of[member] = truth.category.ravel()
        colours.append(np.stack(sums, 1) / area[large, None])
        classes.append(class_of[large])
        images.append(np.full(len(large), number))
    return np.concatenate(colours), np.concatenate(classes), np.concatenate(images)


def guess_from_colour(truths: list[GroundTruth], trees: int = 100, seed: int = 0) -> ColourGuess:
    """How well mean colours tell the class: a random forest, five folds of images."""
    colours, classes, images = object_colours(truths)
    guesses = []
    for weight in (None, "balanced_subsample"):
        forest = RandomForestClassifier(
            trees, min_samples_leaf=8, class_weight=weight, random_state=seed
        )
        folds = GroupKFold(min(5, len(truths)))
        guesses.append(cross_val_predict(forest, colours, classes, groups=images, cv=folds))
    present = np.bincount(classes)
    return ColourGuess(
        len(classes),
        float((guesses[0] == classes).mean()),
        float(present.max() / len(classes)),
        float(balanced_accuracy_score(classes, guesses[1])),
        float(1 / (present > 0).sum()),
    )


def texture_strength(truths: list[GroundTruth]) -> NDArray[np.float64]:
    """Standard deviation of the brightness within patches of 22 px of one class, (C,) in [0, 1].

    Measured on every third image; nan for a class that is in none of them.
    """
    strength: list[list[float]] = [[] for _ in range(CITYSCAPES_19.num_classes)]
    side = 22
    for truth in truths[::3]:
        gray = truth.image.astype(np.float32).mean(2) / 255
        mean = cv2.blur(gray, (side, side))
        deviation = np.sqrt(np.maximum(cv2.blur(gray * gray, (side, side)) - mean * mean, 0))
        for class_id in np.unique(truth.category[truth.category >= 0]):
            inside = (truth.category == class_id).astype(np.float32)
            # Half a patch is enough: poles are narrower than a patch.
            whole = (cv2.blur(inside, (side, side)) > 0.7) & (inside > 0)
            if whole.sum() >= MIN_VOTERS:
                strength[class_id].append(float(np.median(deviation[whole])))
    return np.array([np.mean(values) if values else np.nan for values in strength])
