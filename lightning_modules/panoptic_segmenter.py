"""Stage 2: a panoptic detector learns from labels, measured against ground truth on the way."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from lightning_modules.segmenter_training import SegmenterTraining
from relief.models.optimization.parameter_groups import decay_groups
from relief.models.segmenters.panoptic_predictor import PanopticPredictor
from relief.schema.training import Augmentation, TrainingBatch


class PanopticSegmenter(SegmenterTraining):
    """Trains a network that is built once the labels have said which classes there are.

    Args:
        network: Makes the network for (number of thing classes, number of regions).
        augmentations: Applied to every training batch on its device, in this order.
        predictor: How outputs become a panoptic map.
        learning_rate: Of AdamW.
        weight_decay: Of AdamW; none is applied to normalisation layers.
        warm_up_steps: Steps of linear warm-up.
        cosine: Let the rate fall to zero along a cosine; constant as published otherwise.
        protocols: Protocols of the panoptic quality; the first one gives `val/pq`.
        assignment: How clusters meet classes on the validation images.
        seed: Of initial weights, augmentations and sampling.
    """

    def __init__(
        self,
        network: Callable[[int, int], nn.Module],
        augmentations: Sequence[Augmentation] = (),
        predictor: PanopticPredictor = PanopticPredictor(),  # noqa: B008  # frozen
        learning_rate: float = 1e-4,
        weight_decay: float = 1e-5,
        warm_up_steps: int = 0,
        cosine: bool = False,
        protocols: Sequence[str] = ("panopticapi", "cups"),
        assignment: str = "majority",
        seed: int = 0,
    ) -> None:
        super().__init__(augmentations, predictor, protocols, assignment, seed)
        self.make_network = network
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.warm_up_steps, self.cosine = warm_up_steps, cosine

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
            self.segmenter.setup()
        self.prepare_measuring()

    def configure_optimizers(self) -> Any:
        """AdamW without decay of normalisation layers; the rate by optimizer step."""
        groups = decay_groups(self.network, self.weight_decay)
        optimizer = torch.optim.AdamW(groups, lr=self.learning_rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _rate(self, step: int) -> float:
        if step < self.warm_up_steps:
            return (step + 1) / (self.warm_up_steps + 1)
        if not self.cosine:
            return 1.0
        steps = max(1, self.trainer.max_steps - self.warm_up_steps)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - self.warm_up_steps) / steps)))

    def training_step(self, batch: TrainingBatch, batch_idx: int) -> Tensor:
        """The sum of the weighted losses of one batch."""
        self.begin_step(batch_idx)
        return self.learn(batch)
