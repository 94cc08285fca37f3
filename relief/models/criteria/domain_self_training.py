"""Labels of one domain beside what a teacher is sure of in another one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from relief.models.augmentations.photometric import Photometric
from relief.models.criteria.own_losses import OwnLosses
from relief.models.self_training.running_prior import RunningPrior
from relief.models.self_training.views import CroppedViews, look
from relief.ops.self_training.adaptive_labels import START, class_adaptive_labels
from relief.ops.self_training.confident_loss import confident_focal_loss
from relief.ops.self_training.view_fusion import average_views, view_affines
from relief.schema.errors import UsageError
from relief.schema.training import (
    Augmentation,
    DetectorClasses,
    Segmenter,
    SemanticLogits,
    TrainingBatch,
    TrainingMoment,
    unlabelled_images,
)
from relief.schema.training_parts import Criterion, TaughtPixels

Fusion = Callable[[Tensor, Tensor, Tensor], Tensor]


class DomainSelfTraining(RunningPrior, Criterion):
    """Learns unlabelled images by the teacher's labels, beside the labelled ones.

    The teacher sees several clean views of an image, which are fused; a pixel is learned where the
    fused probability passes the threshold of its class. The student sees the same views with
    another look (Araslanov and Roth, 2021; numbers as published).

    Args:
        source: Gives the losses of the labelled images; those of the network unless given.
        views: What is seen of an image.
        augmentations: The look of the student's views; blur, colours and gray unless given.
        fusion: `average_views` or `least_entropy_view` of `relief.ops.self_training.view_fusion`;
            `None`: every view by itself.
        share: Of the greatest probability of a class, for its threshold.
        floor: Least threshold.
        beta: How rare a class is that gets a lower threshold; `None`: none does.
        weight: Of the loss of unlabelled images.
        power: Of the focus on rare classes; 0 for none.
        momentum: Of the running share of each class.
    """

    def __init__(
        self,
        source: Criterion | None = None,
        views: CroppedViews = CroppedViews(),  # noqa: B008  # frozen
        augmentations: Sequence[Augmentation] | None = None,
        fusion: Fusion | None = average_views,
        share: float = 0.75,
        floor: float = 0.2,
        beta: float | None = START,
        weight: float = 5.0,
        power: float = 3.0,
        momentum: float = 0.99,
    ) -> None:
        super().__init__(momentum)
        self.source = source or OwnLosses()
        self.views, self.fusion = views, fusion
        self.augmentations = [Photometric()] if augmentations is None else list(augmentations)
        self.share, self.floor, self.beta = share, floor, beta
        self.weight, self.power = weight, power

    def __call__(
        self, network: nn.Module, batch: TrainingBatch, moment: TrainingMoment
    ) -> dict[str, Tensor]:
        """The losses of the labelled images and `loss_target`, by name.

        Raises:
            UsageError: There is no teacher, or there are no unlabelled images.
        """
        if moment.teacher is None:
            msg = "self-training needs a teacher. Name one: --model.init_args.teacher CLASS."
            raise UsageError(msg)
        losses = self.source(network, batch, moment)
        window = self.views.cut(unlabelled_images(batch))
        drawn = [self.views.draw((window.shape[-2], window.shape[-1])) for _ in window]
        pairs = zip(window, drawn, strict=True)
        seen = torch.cat([look(image, params) for image, params in pairs])
        labels, confidence = self.teach(
            cast(Segmenter, moment.teacher), seen, drawn, moment.classes
        )
        student = cast(TrainingBatch, {**batch, "image": seen})
        for augment in self.augmentations:
            student = augment(student, moment)
        logits = cast(SemanticLogits, network).logits(student["image"])
        self.figures = {**self.figures, "agreement": _agreement(logits.detach(), labels)}
        prior = self.prior_or(START)
        target = confident_focal_loss(logits, labels, confidence, prior, self.power)
        return {**losses, "loss_target": self.weight * target}

    @torch.no_grad()
    def teach(
        self,
        teacher: Segmenter,
        seen: Tensor,
        drawn: Sequence[Tensor],
        classes: DetectorClasses | None,
    ) -> tuple[Tensor, Tensor]:
        """Labels views by what a teacher sees in all of them, and keeps figures and pictures.

        Args:
            teacher: Asked once.
            seen: (B * V, 3, h, w), all views of the first image first.
            drawn: (V, 5) of each image, see `CroppedViews.draw`.
            classes: Names the categories of the figures.

        Returns:
            Labels (B * V, h, w) int64, -1 = not sure; confidence (B * V, h, w).
        """
        probabilities = teacher.predict(seen)["semantic_logits"].softmax(dim=1)
        self.update_prior(probabilities)
        if self.fusion is not None:
            size = (seen.shape[-2], seen.shape[-1])
            views = probabilities.split([len(params) for params in drawn])
            probabilities = torch.cat(
                [
                    self.fusion(one, *view_affines(params.to(one), size))
                    for one, params in zip(views, drawn, strict=True)
                ]
            )
        prior = None if self.beta is None else self.prior_or(START)
        labels, confidence, thresholds = class_adaptive_labels(
            probabilities, prior, None, self.share, self.floor, self.beta or START
        )
        numbers = torch.arange(len(self.prior))
        lookup = (numbers if classes is None else classes.category_of_region()).to(labels.device)
        self.figures = self._figures(labels, thresholds, lookup)
        winner = probabilities[0].argmax(dim=0)
        self.pictures = TaughtPixels(
            image=seen[0],
            category=lookup[winner],
            margin=confidence[0] - thresholds[0][winner],
            label=torch.where(labels[0] >= 0, lookup[labels[0]], labels[0]),
        )
        return labels, confidence

    def _figures(self, labels: Tensor, thresholds: Tensor, lookup: Tensor) -> dict[str, Tensor]:
        """The share of pixels that have a label; threshold and prior of each category."""
        figures = {"labelled_share": (labels >= 0).float().mean()}
        for region, category in enumerate(lookup.tolist()):
            if category >= 0:
                figures[f"threshold_{category}"] = thresholds[:, region].mean()
                figures[f"prior_{category}"] = self.prior[region]
        return figures


def _agreement(logits: Tensor, labels: Tensor) -> Tensor:
    """Share of the labelled pixels where the student's class is the label; 0 without any."""
    labelled = labels >= 0
    same = (logits.argmax(dim=1) == labels) & labelled
    return same.sum() / labelled.sum().clamp(min=1)
