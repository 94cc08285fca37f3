"""Where the points of things go: names, cuts, area or the grid of the features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from relief.formats.files.atomic import write_text
from relief.metrics.panoptic_quality import PanopticQuality
from relief.metrics.scoring import PERCENT, Scorer
from relief.ops.matching import assignment_rule
from relief.ops.objects.panoptic_map import majority_category
from relief.ops.resize import resize_nearest
from relief.processes.progress import with_progress
from relief.schema.batch import Failure
from relief.schema.label_spaces import LabelSpace, thing_mask
from relief.studies.measured_on import MeasuredOn
from relief.studies.scoring.label_sources import STORE, are_class_ids, open_labels
from relief.studies.scoring.score import thing_categories, to_json
from relief.studies.scoring.score_runs import IDENTITY
from relief.studies.scoring.scored_images import read_scored_images


@dataclass(frozen=True)
class ObjectDiagnosisRequest(MeasuredOn):
    """Says what things lose to their names, their cuts, their area and the grid of the features.

    Ground truth is put in the place of one step or another; only to ask, nothing is written but
    the table.

    Args:
        labels: Folder of the labels.
        root: Cityscapes folder with gtFine.
        split: Split that is looked at.
        format: store, coco_panoptic, cityscapes, cups or monocular_ups.
        label_space: 19 or 27 classes of Cityscapes.
        truth: Any data set with ground truth, in place of `root`, `split` and `label_space`.
        patch_px: Pixels of the image that one feature stands for: 22 where windows of 322 px see
            512x1024.
        out: Folder for objects.json; outputs/diagnose/NAME by default.
    """

    labels: str
    format: str = STORE
    patch_px: int = 22
    out: str | None = None

    @property
    def folder(self) -> Path:
        """Where the result goes."""
        return Path(self.out or f"outputs/diagnose/{Path(self.labels).name}")


@dataclass(frozen=True)
class ObjectStep:
    """Things after one step or another was replaced by ground truth.

    Attributes:
        what: Whose objects and names.
        pq_things: Percent.
        rq_things: Percent.
        gain: PQ of things against the labels.
    """

    what: str
    pq_things: float
    rq_things: float
    gain: float


@dataclass(frozen=True)
class ObjectDiagnosis:
    """Where the points of things go.

    Attributes:
        steps: The labels as they are, then with ground truth in the place of a step.
        failures: Images that could not be read.
    """

    steps: list[ObjectStep]
    failures: list[Failure]


Variant = Callable[[Tensor, Tensor, LabelSpace], Tensor]


def diagnose_objects(request: ObjectDiagnosisRequest) -> ObjectDiagnosis:
    """Measures things with ground truth in the place of a step.

    Clusters meet classes by majority.

    Raises:
        UsageError: There are no labels, or none with ground truth.
        ReadError: Of no image labels and ground truth can be read.
    """
    truth = request.ground_truth
    space = truth.label_space
    labels = open_labels(Path(request.labels), request.format, truth.split, space)
    images = read_scored_images(labels, truth)
    scorer = Scorer.of(space, labels.num_categories, thing_categories(labels, images))
    rule = IDENTITY if are_class_ids(labels, request.format, space) else "majority"
    assigned = scorer.fit(assignment_rule(rule), images.counts).panoptic
    class_of = torch.cat((torch.from_numpy(assigned).long(), torch.tensor([-1])))
    steps: dict[str, Variant] = {
        "labels": lambda predicted, _, __: predicted,
        "their objects, true names": true_names,
        "their area, true cuts and names": true_cuts,
        f"true objects on a grid of {request.patch_px} px": lambda _, target, __: on_grid(
            target, request.patch_px
        ),
    }
    metrics = {name: PanopticQuality(space.things, space.stuffs) for name in steps}
    for key in with_progress(images.keys, "asking ground truth", len(images.keys)):
        target = truth.target(key)
        size = (target.shape[0], target.shape[1])
        pairs = resize_nearest(labels.panoptic(key).permute(2, 0, 1), size).permute(1, 2, 0)
        predicted = torch.stack((class_of[pairs[..., 0]], pairs[..., 1]), dim=-1)
        for name, variant in steps.items():
            metrics[name].update(variant(predicted, target, space)[None], target[None], [key])
    found: list[ObjectStep] = []
    for name, metric in metrics.items():
        figures = metric.compute()
        value = PERCENT * float(figures["pq_things"])
        before = found[0].pq_things if found else value
        found.append(ObjectStep(name, value, PERCENT * float(figures["rq_things"]), value - before))
    return ObjectDiagnosis(found, images.failures)


def true_names(predicted: Tensor, target: Tensor, space: LabelSpace) -> Tensor:
    """Gives every object the class of most of its true pixels; (H, W, 2) each."""
    category, instance = predicted.unbind(-1)
    named = majority_category(target[..., 0], instance, space.num_classes)
    return torch.stack((torch.where(instance > 0, named[instance], category), instance), dim=-1)


def true_cuts(predicted: Tensor, target: Tensor, space: LabelSpace) -> Tensor:
    """Parts the area of all objects as the truth does: each pixel goes to the nearest true one."""
    things = thing_mask(space.things, space.num_classes + 1)
    is_true = things[target[..., 0]] & (target[..., 1] > 0)
    area = predicted[..., 1] > 0
    if not bool(is_true.any()):
        return predicted
    rows, columns = distance_transform_edt(
        ~is_true.numpy(), return_distances=False, return_indices=True
    )
    nearest = target[torch.from_numpy(rows), torch.from_numpy(columns)]
    return torch.where(area[..., None], nearest, predicted)


def on_grid(target: Tensor, patch_px: int) -> Tensor:
    """Looks at the truth at the centre of each patch and enlarges it; (H, W, 2)."""
    height, width = target.shape[:2]
    coarse = (max(1, round(height / patch_px)), max(1, round(width / patch_px)))
    small = resize_nearest(target.permute(2, 0, 1), coarse)
    return resize_nearest(small, (height, width)).permute(1, 2, 0)


def write_object_diagnosis(out: Path, diagnosis: ObjectDiagnosis) -> None:
    """Writes OUT/objects.json; raises `WriteError`."""
    write_text(out / "objects.json", to_json(asdict(diagnosis)))
