"""The base of every training of a segmenter: its parts, and steps that can be repeated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor

from lightning_modules.repeatable_steps import RepeatableSteps
from lightning_modules.segmenter_checkpoints import SegmenterCheckpoints
from relief.models.criteria.own_losses import OwnLosses
from relief.models.segmenters.checkpoint import SegmenterCheckpoint, Which, read_segmenter
from relief.models.segmenters.prediction.predictor import PanopticPredictor
from relief.models.weights.files import sha256_of
from relief.schema.errors import ReadError, WeightsError
from relief.schema.training import (
    Augmentation,
    TrainingBatch,
    TrainingMoment,
)
from relief.schema.training_parts import Criterion, RateSchedule, Teacher, TrainedParameters


class SegmenterTraining(RepeatableSteps, SegmenterCheckpoints):
    """Learns from batches and measures networks against ground truth on the way.

    Subclasses build `network` in `configure_model`,
    then call `begin`, and implement `training_step`.

    Args:
        trained: Which parameters of the network are trained.
        optimizer: Makes the optimizer for their groups.
        schedule: Factor on the learning rate by step; `None`: constant.
        teacher: How a network that teaches follows the one that learns; `None`: there is none.
        criterion: What the losses are; those of the network itself unless given.
        augmentations: Applied to every training batch on its device, in this order.
        predictor: How outputs become a panoptic map.
        protocols: Protocols of the panoptic quality; the first one gives `val/pq`.
        assignment: How clusters meet classes on the validation images.
        seed: Of initial weights, augmentations and sampling.

    Attributes:
        checkpoint: What the training begins with; `None`: weights that are drawn or loaded.
        which: Of its networks, that one.
    """

    checkpoint: Path | None = None
    which: Which | None = None
    _start: SegmenterCheckpoint | None = None

    def __init__(
        self,
        *,
        trained: TrainedParameters,
        optimizer: OptimizerCallable,
        schedule: RateSchedule | None,
        teacher: Teacher | None,
        criterion: Criterion | None,
        augmentations: Sequence[Augmentation],
        predictor: PanopticPredictor,
        protocols: Sequence[str],
        assignment: str,
        seed: int,
    ) -> None:
        super().__init__(teacher, predictor, protocols, assignment)
        self.trained, self.make_optimizer, self.schedule = trained, optimizer, schedule
        self.criterion = criterion or OwnLosses()
        self.augmentations, self.seed = augmentations, seed

    def find_start(self) -> None:
        """Reads the checkpoint that the training begins with, where there is one.

        Called in every process before anything else.

        Raises:
            WeightsError: It is missing, damaged, or no checkpoint.
        """
        if self.checkpoint is not None:
            self._start = read_segmenter(self.checkpoint, self.which)

    def start_mark(self) -> str | None:
        """Returns the SHA-256 of that checkpoint; `None`: there is none, or it is gone by now.

        Raises:
            WeightsError: It is there and cannot be read.
        """
        if self.checkpoint is None:
            return None
        try:
            return sha256_of(self.checkpoint)
        except FileNotFoundError:
            return None
        except OSError as error:
            msg = f"cannot read checkpoint: {self.checkpoint} ({error.strerror})."
            raise WeightsError(msg) from error

    def begin(self) -> None:
        """Freezes what is not trained, makes the teacher and the metrics.

        Raises:
            UsageError: Nothing would be trained, or the predictor cannot make maps of the classes.
        """
        self.trained.freeze(self.network)
        if self.following is not None:
            self.teacher = self.following.begin(self.network)
        self.prepare_measuring()

    def configure_optimizers(self) -> Any:
        """The optimizer over what is trained; the teacher follows every step it really makes."""
        optimizer = self.make_optimizer(self.trained.groups(self.network))
        if self.following is not None:
            optimizer.register_step_post_hook(self._follow)
        if self.schedule is None:
            return optimizer
        factor, total = self.schedule, self.trainer.max_steps
        rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: factor(step, total))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": rate, "interval": "step"}}

    def _follow(self, *_: Any) -> None:
        cast(Teacher, self.following).follow(self.teacher, self.network, self.global_step + 1)

    def learn(self, batch: TrainingBatch) -> Tensor:
        """The sum of the weighted losses of a batch after its augmentation, all of them logged.

        Raises:
            TrainingDivergedError: It is not finite.
        """
        moment = TrainingMoment(
            step=self.global_step,
            predict=self.segmenter.predict,
            classes=self.classes,
            total=self.trainer.max_steps,
            teacher=self.teacher if self.following is not None else None,
        )
        with torch.no_grad():
            for augment in self.augmentations:
                try:
                    batch = augment(batch, moment)
                except ReadError as error:  # it asked the network
                    raise self.diverged("what the network sees", batch["key"]) from error
        losses = self.criterion(self.network, batch, moment)
        total = torch.stack(list(losses.values())).sum()
        if not torch.isfinite(total):
            wrong = [name for name, value in losses.items() if not torch.isfinite(value)]
            raise self.diverged(f"the loss ({', '.join(wrong) or 'the sum'})", batch["key"])
        told = {**losses, **self.criterion.figures}
        logged = {f"train/{name}": value.detach() for name, value in told.items()}
        self.log_dict(
            {**logged, "train/loss": total.detach()}, batch_size=len(batch["key"]), sync_dist=False
        )
        return total
