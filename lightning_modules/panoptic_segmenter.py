"""Stage 2: a panoptic detector learns from labels, measured against ground truth on the way."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torchmetrics import MetricCollection

from relief.metrics.panoptic_quality import MatchedPanopticQuality
from relief.models.parameter_groups import decay_groups
from relief.models.segmenters.panoptic_predictor import PanopticPredictor
from relief.schema.batch import ImageBatch
from relief.schema.label_spaces import LabelSpace
from relief.schema.training import (
    Augmentation,
    DetectorClasses,
    Segmenter,
    TrainingBatch,
    TrainingMoment,
)

LOGGED = ("pq", "pq_things", "pq_stuff", "sq", "rq", "miou")
SELECTED_BY = "val ground truth"


class PanopticSegmenter(pl.LightningModule):
    """Trains a network that is built once the labels have said which classes there are.

    Every random number of a step follows from `seed`, the step and the rank, so that a resumed
    training goes on as if it had never stopped.

    Args:
        network: Makes the network for (number of thing classes, number of stuff classes).
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

    network: nn.Module

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
        super().__init__()
        self.make_network, self.augmentations, self.predictor = network, augmentations, predictor
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.warm_up_steps, self.cosine = warm_up_steps, cosine
        self.protocols, self.assignment, self.seed = tuple(protocols), assignment, seed
        self.classes = DetectorClasses((), ())
        self.quality = MetricCollection({})
        self.evaluation: dict[str, Any] = {}

    @property
    def segmenter(self) -> Segmenter:
        """The network by what it offers."""
        return cast(Segmenter, self.network)

    def configure_model(self) -> None:
        """Builds the network for the classes of the data, once."""
        if hasattr(self, "network"):
            return
        data = cast(Any, self.trainer).datamodule
        self.classes = data.classes
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            self.network = self.make_network(self.classes.num_things, self.classes.num_stuff)
        if self.trainer.ckpt_path is None:
            self.segmenter.setup()
        self.quality = self._metrics(data.label_space)

    def _metrics(self, space: LabelSpace) -> MetricCollection:
        return MetricCollection(
            {
                protocol: MatchedPanopticQuality(
                    self.classes.num_categories,
                    space.things,
                    space.stuffs,
                    self.classes.things,
                    self.assignment,
                    protocol,
                )
                for protocol in self.protocols
            }
        )

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
        accumulated = self.trainer.accumulate_grad_batches
        number = self.global_step * accumulated + batch_idx % accumulated
        number = number * self.trainer.world_size + self.global_rank
        torch.manual_seed(self.seed + number * 1_000_003)
        moment = TrainingMoment(step=self.global_step, predict=self.segmenter.predict)
        with torch.no_grad():
            for augment in self.augmentations:
                batch = augment(batch, moment)
        losses = self.segmenter(batch)
        total = torch.stack(list(losses.values())).sum()
        logged = {f"train/{name}": value.detach() for name, value in losses.items()}
        self.log_dict(
            {**logged, "train/loss": total.detach()}, batch_size=len(batch["key"]), sync_dist=False
        )
        return total

    def validation_step(self, batch: ImageBatch, batch_idx: int) -> dict[str, list[Tensor]]:
        """Predicts at the size of the ground truth; returns `panoptic`, the (H, W, 2) maps."""
        del batch_idx
        if len(batch["key"]) == 0:
            return {"panoptic": []}
        target = batch["target"]
        size = (target.shape[1], target.shape[2])
        predicted = self.predictor(self.segmenter, self.classes, batch["image"], size)
        self.quality.update(predicted, target, batch["key"])
        return {"panoptic": list(predicted)}

    def on_validation_epoch_end(self) -> None:
        """Logs the figures in percent and keeps the assignments apart, for whoever looks."""
        figures = {name: cast(Any, self.quality[name]).compute() for name in self.protocols}
        self.evaluation = {
            "selection": SELECTED_BY,
            "assignment": {name: found["assignment"].tolist() for name, found in figures.items()},
        }
        for number, (protocol, found) in enumerate(figures.items()):
            values = {name: 100 * found[name].float() for name in LOGGED}
            prefix = "val" if number == 0 else f"val_{protocol}"
            self.log_dict({f"{prefix}/{name}": value for name, value in values.items()})
        self.quality.reset()

    def test_step(self, batch: ImageBatch, batch_idx: int) -> dict[str, list[Tensor]]:
        """As `validation_step`."""
        return self.validation_step(batch, batch_idx)

    def on_test_epoch_end(self) -> None:
        """As `on_validation_epoch_end`."""
        self.on_validation_epoch_end()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The classes travel with the weights; what was fitted on ground truth stays apart."""
        data = cast(Any, self.trainer).datamodule
        checkpoint["classes"] = {"things": self.classes.things, "stuff": self.classes.stuff}
        checkpoint["supervision"] = list(data.supervision)
        checkpoint["label_classes"] = data.label_classes
        checkpoint["evaluation"] = self.evaluation

    def on_load_checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        """Remembers the evaluation; `configure_model` has built the network by now."""
        self.evaluation = dict(checkpoint.get("evaluation", {}))
