"""Missing classes: clusters that never win, and the classes that absorb their pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from relief.formats.files.atomic import write_text
from relief.metrics.panoptic_statistics import Ids, Mask
from relief.metrics.scoring import PERCENT, Scorer
from relief.metrics.semantic_iou import iou_per_class
from relief.ops.matching import assignment_rule
from relief.schema.batch import Failure
from relief.studies.measured_on import MeasuredOn
from relief.studies.scoring.label_sources import STORE, are_class_ids, open_labels
from relief.studies.scoring.score import thing_categories, to_json
from relief.studies.scoring.score_runs import IDENTITY
from relief.studies.scoring.scored_images import read_scored_images

VOID_NAME = "void"
_MISSED_BELOW = 0.05
_ABSORBERS = 2


@dataclass(frozen=True)
class DiagnoseRequest(MeasuredOn):
    """Says which classes are missed, what absorbs them, and which clusters are dead.

    Args:
        labels: Folder of the labels.
        root: Cityscapes folder with gtFine.
        split: Split that is looked at.
        format: store, coco_panoptic, cityscapes, cups or monocular_ups.
        assignment: How clusters meet classes. By default hungarian, which shows what a fixed probe
            loses, and identity where ids are classes already.
        label_space: 19 or 27 classes of Cityscapes.
        truth: Any data set with ground truth, in place of `root`, `split` and `label_space`.
        out: Folder for diagnosis.json; outputs/diagnose/NAME by default.
    """

    labels: str
    format: str = STORE
    assignment: Literal["majority", "hungarian", "cups", "identity"] | None = None
    out: str | None = None

    @property
    def folder(self) -> Path:
        """Where the result goes."""
        return Path(self.out or f"outputs/diagnose/{Path(self.labels).name}")


@dataclass(frozen=True)
class MissedClass:
    """A class with ground truth and an IoU under 0.05 %, which tables show as 0.0.

    Attributes:
        name: Of the class.
        absorbed_by: What most of its pixels were predicted as, and the percent of them: the two
            largest, those under 1 % left out.
        ground_truth_px: Its pixels.
    """

    name: str
    absorbed_by: list[tuple[str, float]]
    ground_truth_px: int


@dataclass(frozen=True)
class ThingCalls:
    """How well a rule that saw no labels told things from stuff; pixels of void left out.

    Attributes:
        called: Living clusters that are called things.
        rightly: How many of them have most of their pixels on thing classes.
        living: Clusters that some pixel has.
        precision: Percent of the pixels of clusters called things that are on thing classes.
        recall: Percent of the pixels of thing classes that lie in clusters called things.
        base: Percent of all pixels that are on thing classes: the precision of calling all.
    """

    called: int
    rightly: int
    living: int
    precision: float
    recall: float
    base: float

    @classmethod
    def of(cls, pixels: Ids, is_thing: Mask, called: Sequence[int]) -> ThingCalls:
        """Counts pixels (k, C) by cluster and class; `is_thing` is (C,) of the classes."""
        of_things, whole = pixels[:, is_thing].sum(axis=1), pixels.sum(axis=1)
        chosen = np.isin(np.arange(len(pixels)), called) & (whole > 0)
        right = of_things[chosen].sum()
        return cls(
            called=int(chosen.sum()),
            rightly=int((2 * of_things > whole)[chosen].sum()),
            living=int((whole > 0).sum()),
            precision=_percent(right, whole[chosen].sum()),
            recall=_percent(right, of_things.sum()),
            base=_percent(of_things.sum(), whole.sum()),
        )

    @property
    def sentence(self) -> str:
        """Says it in a line."""
        return (
            f"clusters called things: {self.called} of {self.living}, {self.rightly} of them "
            f"rightly; by pixels precision {self.precision:.1f} %, recall {self.recall:.1f} % "
            f"({self.base:.1f} % of the pixels are on things)"
        )


@dataclass(frozen=True)
class Diagnosis:
    """The diagnosis of labels.

    Attributes:
        missed: Classes that the labels do not have, in the order of the classes.
        assignment: How clusters met classes.
        ids: What the ids of the labels are.
        num_clusters: Ids there may be.
        dead_clusters: Ids that no pixel has, also where the ground truth is void.
        classes_without_cluster: Names of classes that no cluster was assigned to, or a dead one.
        iou: Percent by class name, nan for a class that never occurs.
        ground_truth_px: Pixels by class name.
        absorption: For each class, where its pixels went: percent by class name, largest first,
            those under 1 % left out.
        failures: Images that could not be read.
        things: What clusters were called; `None` where ids are classes.
    """

    missed: list[MissedClass]
    assignment: str
    ids: Literal["clusters", "classes"]
    num_clusters: int
    dead_clusters: list[int]
    classes_without_cluster: list[str]
    iou: dict[str, float]
    ground_truth_px: dict[str, int]
    absorption: dict[str, dict[str, float]]
    failures: list[Failure]
    things: ThingCalls | None = None

    @property
    def sentences(self) -> list[str]:
        """Lists what the tables leave out, line by line, for people."""
        without = ", ".join(self.classes_without_cluster) or "none"
        missed = [] if self.missed else ["missed classes: none"]
        if self.ids == "classes":
            return [*missed, f"classes that no pixel has: {without}"]
        named = ", ".join(map(str, self.dead_clusters))
        dead = f"dead clusters: {len(self.dead_clusters)} of {self.num_clusters}"
        return [
            *missed,
            f"{dead} ({named})" if named else dead,
            f"classes without a living cluster under {self.assignment}: {without}",
            *([self.things.sentence] if self.things else []),
        ]


def diagnose_labels(request: DiagnoseRequest) -> Diagnosis:
    """Looks at the maps before splitting.

    Raises:
        UsageError: There are no labels, or none with ground truth.
    """
    truth = request.ground_truth
    space = truth.label_space
    labels = open_labels(Path(request.labels), request.format, truth.split, space)
    are_classes = are_class_ids(labels, request.format, space)
    assignment = request.assignment or (IDENTITY if are_classes else "hungarian")
    images = read_scored_images(labels, truth)
    scorer = Scorer.of(space, labels.num_categories, thing_categories(labels, images))
    fitted = scorer.fit(assignment_rule(assignment), images.counts)
    called = None
    if not are_classes:
        is_thing = scorer.classes.is_thing
        called = ThingCalls.of(images.semantic.pixels, is_thing, list(scorer.things))
    confusion = scorer.confusion(images.semantic, fitted)
    living = set(fitted.semantic[images.category_px > 0].tolist())
    iou = dict(zip(space.names, (PERCENT * iou_per_class(confusion)).tolist(), strict=True))
    ground_truth_px = dict(zip(space.names, confusion.sum(axis=1).tolist(), strict=True))
    names = [*space.names, VOID_NAME]
    absorption = {
        name: _shares(row, names) for name, row in zip(space.names, confusion, strict=True)
    }
    return Diagnosis(
        missed=_missed(iou, absorption, ground_truth_px),
        assignment=assignment,
        ids="classes" if are_classes else "clusters",
        num_clusters=labels.num_categories,
        dead_clusters=np.flatnonzero(images.category_px == 0).tolist(),
        classes_without_cluster=[
            name for class_id, name in enumerate(space.names) if class_id not in living
        ],
        iou=iou,
        ground_truth_px=ground_truth_px,
        absorption=absorption,
        failures=images.failures,
        things=called,
    )


def write_diagnosis(out: Path, diagnosis: Diagnosis) -> None:
    """Writes OUT/diagnosis.json; raises `WriteError`."""
    write_text(out / "diagnosis.json", to_json(asdict(diagnosis)))


def _missed(
    iou: Mapping[str, float],
    absorption: Mapping[str, Mapping[str, float]],
    ground_truth_px: Mapping[str, int],
) -> list[MissedClass]:
    found = []
    for name, shares in absorption.items():
        if ground_truth_px[name] and iou[name] < _MISSED_BELOW:
            others = [(other, share) for other, share in shares.items() if other != name]
            found.append(MissedClass(name, others[:_ABSORBERS], ground_truth_px[name]))
    return found


def _percent(part: float, whole: float) -> float:
    return PERCENT * float(part) / float(whole) if whole else math.nan


def _shares(pixels: np.ndarray, names: Sequence[str]) -> dict[str, float]:
    total = pixels.sum()
    if total == 0:
        return {}
    shares = PERCENT * pixels / total
    order = np.argsort(-shares, kind="stable")
    return {names[i]: float(shares[i]) for i in order if shares[i] >= 1.0}
