"""Stage 2: a panoptic detector learns from labels, measured against ground truth on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor, nn

from lightning_modules.segmenter_training import SegmenterTraining
from relief.models.optimization.trained_parameters import AllParameters
from relief.models.segmenters.checkpoint import SegmenterCheckpoint
from relief.models.segmenters.prediction.predictor import PanopticPredictor
from relief.schema.errors import WeightsError
from relief.schema.training import Augmentation, LabelOrigin, TrainingBatch
from relief.schema.training_parts import Criterion, RateSchedule, Teacher, TrainedParameters


class PanopticSegmenter(SegmenterTraining):
    """Trains a network that is built once the labels have said which classes there are.

    Args:
        network: Makes the network for (number of thing classes, number of regions).
        criterion: What the losses are; those of the network itself unless given.
        teacher: A moving average of the network, for a criterion that asks it; `None`: there is
            none. Where there is one, it is what `val/pq` measures.
        augmentations: Applied to every training batch on its device, in this order.
        predictor: How outputs become a panoptic map.
        trained: Which parameters are trained; `AllParameters()` unless given.
        optimizer: Takes their groups: AdamW.
        schedule: Factor on the learning rate by step; constant as published unless given.
        protocols: Protocols of the panoptic quality; the first one gives `val/pq`.
        assignment: How clusters meet classes on the validation images.
        seed: Of initial weights, augmentations and sampling.
        checkpoint: A training or an exported network of the same build and classes, whose weights
            the network begins with; its supervision goes on with them.
    """

    def __init__(
        self,
        network: Callable[[int, int], nn.Module],
        criterion: Criterion | None = None,
        teacher: Teacher | None = None,
        augmentations: Sequence[Augmentation] = (),
        predictor: PanopticPredictor = PanopticPredictor(),  # noqa: B008  # frozen
        trained: TrainedParameters | None = None,
        optimizer: OptimizerCallable = lambda groups: torch.optim.AdamW(
            groups, lr=1e-4, weight_decay=1e-5
        ),
        schedule: RateSchedule | None = None,
        protocols: Sequence[str] = ("panopticapi", "cups"),
        assignment: str = "majority",
        seed: int = 0,
        checkpoint: Path | None = None,
    ) -> None:
        super().__init__(
            trained=trained or AllParameters(),
            optimizer=optimizer,
            schedule=schedule,
            teacher=teacher,
            criterion=criterion,
            augmentations=augmentations,
            predictor=predictor,
            protocols=protocols,
            assignment=assignment,
            seed=seed,
        )
        self.make_network, self.checkpoint = network, checkpoint

    def configure_model(self) -> None:
        """Builds the network for the classes of the data, once."""
        if hasattr(self, "network"):
            return
        self.classes = cast(Any, self.trainer).datamodule.classes
        # Only the device that the network is made on: asking every GPU reserves memory on each.
        device = self.trainer.strategy.root_device
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(self.seed)
            self.network = self.make_network(self.classes.num_things, self.classes.num_regions)
        if self.trainer.ckpt_path is None:
            if self.checkpoint is not None:
                self._begin_with_checkpoint()
            else:
                self.segmenter.setup()
        self.begin()

    def _begin_with_checkpoint(self) -> None:
        """Takes the weights of the checkpoint.

        Raises:
            WeightsError: It is of another network or other classes.
        """
        if self._start is None:
            self.find_start()
        start = cast(SegmenterCheckpoint, self._start)
        if start.classes != self.classes:
            known = start.classes
            msg = (
                f"checkpoint of other classes: {start.path} ({known.num_things} things, "
                f"{known.num_stuff} stuff). Give one that learned from labels of these ids."
            )
            raise WeightsError(msg)
        self.network = start.build(self.make_network).train()
        self._start = replace(start, weights={})  # not kept twice

    @property
    def label_origin(self) -> LabelOrigin:
        """The labels that are learned, and those of the network that the training began with."""
        own = super().label_origin
        if self._start is None:  # of a resumed training its checkpoint knows
            return own
        before = self._start.origin
        return replace(
            own,
            supervision=tuple(dict.fromkeys((*before.supervision, *own.supervision))),
            notes=tuple(dict.fromkeys((*before.notes, *own.notes))),
        )

    def training_step(self, batch: TrainingBatch, batch_idx: int) -> Tensor:
        """The sum of the weighted losses of one batch."""
        self.begin_step(batch_idx)
        return self.learn(batch)
