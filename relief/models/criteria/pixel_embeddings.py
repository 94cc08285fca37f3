"""Pixels of an object are pulled together, objects pushed apart; a teacher helps elsewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from relief.models.augmentations.turning import turned, turned_back
from relief.ops.embeddings.losses import (
    consistency_loss,
    draw_anchors,
    mean_norm,
    object_mask_loss,
    object_means,
    pull_loss,
    push_loss,
    unlabelled_push_loss,
)
from relief.ops.objects.instance_targets import renumber_instances
from relief.ops.resize import resize_nearest
from relief.schema.errors import UsageError
from relief.schema.training import Augmentation, PixelEmbedder, TrainingBatch, TrainingMoment
from relief.schema.training_parts import Criterion


@dataclass(frozen=True)
class PixelEmbeddings(Criterion):
    """The losses of the thesis' instance network, and those under it, each with its weight.

    All are means over the images of a batch. A weight of 0 leaves a loss out; the consistency asks
    for a teacher. The network has `embed` (`relief.schema.training.PixelEmbedder`).

    Attributes:
        delta_v: Pixels nearer than this to the mean of their object are left alone.
        delta_d: Means farther apart than twice this are left alone.
        pull: Weight of pixels towards the mean of their object.
        push: Weight of means away from each other.
        objects: Weight of the soft masks around the means against the objects.
        unlabelled_push: Weight of pixels without object away from all means.
        consistency: Weight of agreement with the teacher in pixels without object.
        norm: Weight of the lengths of the means.
        labelled_only: Pixels without object are unlabelled (sparse labels); `False`: they are one
            object like any other in pull and push (dense labels).
        categories: Category ids of the labels whose objects are learned, a group; objects of others
            are unlabelled. `None`: all.
        turns: The teacher sees the image turned by 0 to 180 degrees.
        recolours: What else the teacher sees, such as `Photometric`; `None`: the image as it is.
        most_anchors: Pixels at which student and teacher are compared, of one image.
        pull_ring: Added to `delta_v` of the pull at the beginning; fades.
        push_ring: Added to `delta_d` of the push at the beginning; fades.
        ring_steps: Steps after which 1/e of both is left.
    """

    delta_v: float = 0.5
    delta_d: float = 1.5
    pull: float = 1.0
    push: float = 1.0
    objects: float = 1.0
    unlabelled_push: float = 1.0
    consistency: float = 0.1
    norm: float = 0.001
    labelled_only: bool = True
    categories: Sequence[int] | None = None
    turns: bool = True
    recolours: Augmentation | None = None
    most_anchors: int = 20
    pull_ring: float = -0.2
    push_ring: float = 0.2
    ring_steps: float = 2500.0

    def __call__(
        self, network: nn.Module, batch: TrainingBatch, moment: TrainingMoment
    ) -> dict[str, Tensor]:
        """The weighted losses by name; see `Criterion`.

        Raises:
            UsageError: The consistency has a weight and there is no teacher, or none of the
                categories is a thing of the labels.
        """
        embeddings = cast(PixelEmbedder, network).embed(batch["image"])
        labels = self._objects(batch, moment, (embeddings.shape[-2], embeddings.shape[-1]))
        fading = math.exp(-moment.step / self.ring_steps)
        rows = [self._of_image(*pair, fading) for pair in zip(embeddings, labels, strict=True)]
        if self.consistency:
            agreeing = self._consistency(embeddings, labels, batch, moment)
            for row, value in zip(rows, agreeing, strict=True):
                row["consistency"] = value
        return {
            f"loss_{name}": getattr(self, name) * torch.stack([row[name] for row in rows]).mean()
            for name in rows[0]
        }

    def _objects(
        self, batch: TrainingBatch, moment: TrainingMoment, size: tuple[int, int]
    ) -> list[Tensor]:
        """(h, w) of each image: 0 = unlabelled, objects 1..C, each with a pixel."""
        learned = _things_of(self.categories, moment)
        labels = []
        for instance, classes in zip(batch["instance"], batch["classes"], strict=True):
            if learned is not None:
                of_group = torch.isin(classes, torch.tensor(learned, device=classes.device))
                kept = torch.cat((of_group.new_zeros(1), of_group))
                instance = torch.where(kept[instance], instance, 0)
            labels.append(renumber_instances(resize_nearest(instance, size), classes)[0])
        return labels

    def _of_image(self, embedding: Tensor, labels: Tensor, fading: float) -> dict[str, Tensor]:
        """Computes what needs no teacher, without weights."""
        means = object_means(embedding, labels)
        pull_v, push_d = (
            self.delta_v + self.pull_ring * fading,
            self.delta_d + self.push_ring * fading,
        )
        losses = {
            "pull": lambda: pull_loss(embedding, labels, pull_v, self.labelled_only),
            "push": lambda: push_loss(means, push_d, self.labelled_only),
            "objects": lambda: object_mask_loss(embedding, labels, means, self.delta_v),
            "unlabelled_push": lambda: unlabelled_push_loss(embedding, labels, means, self.delta_d),
            "norm": lambda: mean_norm(means),
        }
        return {name: loss() for name, loss in losses.items() if getattr(self, name)}

    def _consistency(
        self,
        embeddings: Tensor,
        labels: Sequence[Tensor],
        batch: TrainingBatch,
        moment: TrainingMoment,
    ) -> list[Tensor]:
        if moment.teacher is None:
            msg = (
                "the consistency of embeddings asks a teacher, and there is none. Name one under "
                "model.init_args.teacher, or set the criterion's consistency to 0."
            )
            raise UsageError(msg)
        size = (embeddings.shape[-2], embeddings.shape[-1])
        with torch.no_grad():
            seen = batch if self.recolours is None else self.recolours(batch, moment)
            degrees = 180 * torch.rand(len(embeddings)) if self.turns else None
            image = seen["image"]
            image = image if degrees is None else turned(image, degrees)
            taught = cast(PixelEmbedder, moment.teacher).embed(image)
            taught, valid = turned_back(taught, degrees, size)
        losses = []
        for row, label in enumerate(labels):
            inside = valid[row]
            # Only what both see: a row of pixels, as the losses take any map.
            student, teacher = embeddings[row][:, None, inside], taught[row][:, None, inside]
            anchors = draw_anchors(
                student, teacher, label[None, inside] == 0, self.delta_v, self.most_anchors
            )
            losses.append(consistency_loss(student, teacher, anchors, self.delta_v))
        return losses


def _things_of(categories: Sequence[int] | None, moment: TrainingMoment) -> list[int] | None:
    """The thing classes of some category ids; `None`: all.

    Raises:
        UsageError: None of them is a thing of the labels.
    """
    if categories is None or moment.classes is None:
        return None
    things = [moment.classes.things.index(c) for c in categories if c in moment.classes.things]
    if not things:
        msg = (
            f"no thing among the categories {list(categories)}: things of the labels are "
            f"{list(moment.classes.things)}. Name some of these."
        )
        raise UsageError(msg)
    return things
