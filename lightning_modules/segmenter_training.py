"""What every training of a segmenter shares: steps that can be repeated, and measuring."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torchmetrics import MetricCollection

from relief.metrics.panoptic_quality import MatchedPanopticQuality
from relief.metrics.scoring import PERCENT
from relief.models.segmenters.checkpoint import supervision_of
from relief.models.segmenters.panoptic_predictor import PanopticPredictor
from relief.models.weights.files import check_fits
from relief.schema.batch import ImageBatch
from relief.schema.errors import ReadError, TrainingDivergedError, UsageError
from relief.schema.label_spaces import VOID, LabelSpace
from relief.schema.training import (
    Augmentation,
    DetectorClasses,
    LabelOrigin,
    Segmenter,
    TrainingBatch,
    TrainingMoment,
)
from relief.schema.training_settings import training_differences

LOGGED = ("pq", "pq_things", "pq_stuff", "sq", "rq", "miou")
SELECTED_BY = "val ground truth"
log = logging.getLogger("relief.training")


class SegmenterTraining(pl.LightningModule):
    """Learns from batches and measures networks against ground truth on the way.

    Every random number of a step follows from `seed`, the step and the rank, so that a resumed
    training goes on as if it had never stopped. Subclasses build `network` in `configure_model`
    and implement `training_step`; those that measure more than it overwrite `measured`.

    Args:
        augmentations: Applied to every training batch on its device, in this order.
        predictor: How outputs become a panoptic map.
        protocols: Protocols of the panoptic quality; the first one gives `val/pq`.
        assignment: How clusters meet classes on the validation images.
        seed: Of initial weights, augmentations and sampling.

    Attributes:
        network: What is trained.
        classes: Its classes, known once it is built.
        evaluation: What the last validation found, ground truth included; kept apart.
        measuring: Arguments, of the data too, that decide nothing but the figures.
    """

    network: nn.Module
    measuring = frozenset({"predictor", "protocols", "assignment", "label_space"})

    def __init__(
        self,
        augmentations: Sequence[Augmentation],
        predictor: PanopticPredictor,
        protocols: Sequence[str],
        assignment: str,
        seed: int,
    ) -> None:
        super().__init__()
        self.augmentations, self.predictor = augmentations, predictor
        self.protocols, self.assignment, self.seed = tuple(protocols), assignment, seed
        self.classes = DetectorClasses((), ())
        self.quality = nn.ModuleDict()
        self.evaluation: dict[str, Any] = {}
        self._inherited: tuple[str, ...] = ()

    @property
    def segmenter(self) -> Segmenter:
        """The trained network by what it offers."""
        return cast(Segmenter, self.network)

    @property
    def measured(self) -> Mapping[str, Segmenter]:
        """The networks that are measured, by name; the first one gives `val/pq`."""
        return {"network": self.segmenter}

    @property
    def label_origin(self) -> LabelOrigin:
        """Where the labels that are learned come from."""
        origin: LabelOrigin = cast(Any, self.trainer).datamodule.label_origin
        return origin

    def find_start(self) -> None:
        """Looks for what the training begins with: called in every process before anything else."""

    def start_mark(self) -> str | None:
        """Returns which file the training begins with; `None`: none, or it is gone by now."""
        return None

    def prepare_measuring(self) -> None:
        """Makes the metrics, once the classes and the networks are there.

        Raises:
            UsageError: The predictor cannot make maps of these classes.
        """
        self.predictor.check(self.classes)
        space: LabelSpace = cast(Any, self.trainer).datamodule.label_space
        for name in self.measured:
            self.quality[name] = MetricCollection(
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

    def begin_step(self, batch_idx: int) -> None:
        """Sets the random numbers of a step, each of its micro-batches and each rank apart."""
        accumulated = self.trainer.accumulate_grad_batches
        number = self.global_step * accumulated + batch_idx % accumulated
        number = number * self.trainer.world_size + self.global_rank
        torch.manual_seed(self.seed + number * 1_000_003)

    def learn(self, batch: TrainingBatch) -> Tensor:
        """The sum of the weighted losses of a batch after its augmentation, all of them logged.

        Raises:
            TrainingDivergedError: It is not finite.
        """
        moment = TrainingMoment(self.global_step, self.segmenter.predict, self.classes)
        with torch.no_grad():
            for augment in self.augmentations:
                try:
                    batch = augment(batch, moment)
                except ReadError as error:  # it asked the network
                    raise self.diverged("what the network sees", batch["key"]) from error
        losses = self.segmenter(batch)
        total = torch.stack(list(losses.values())).sum()
        if not torch.isfinite(total):
            wrong = [name for name, value in losses.items() if not torch.isfinite(value)]
            raise self.diverged(f"the loss ({', '.join(wrong) or 'the sum'})", batch["key"])
        logged = {f"train/{name}": value.detach() for name, value in losses.items()}
        self.log_dict(
            {**logged, "train/loss": total.detach()}, batch_size=len(batch["key"]), sync_dist=False
        )
        return total

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Stops before weights would become NaN; loss scaling leaves such steps out by itself.

        Raises:
            TrainingDivergedError: A gradient is not finite.
        """
        del optimizer
        if getattr(self.trainer.precision_plugin, "scaler", None) is not None:
            return
        gradients = [p.grad for p in self.network.parameters() if p.grad is not None]
        if not torch.isfinite(nn.utils.get_total_norm(gradients, math.inf)):
            raise self.diverged("a gradient")

    def diverged(self, what: str, keys: Sequence[str] = ()) -> TrainingDivergedError:
        """Returns the error that ends a training whose numbers are no longer finite.

        Args:
            what: The number.
            keys: The images of the batch, where they are known.
        """
        images = f" (images {', '.join(keys)})" if keys else ""
        return TrainingDivergedError(
            f"{what} is not finite at step {self.global_step}{images}: the weights were left as "
            "they are. Lower the learning rate, or leave these images out."
        )

    def validation_step(self, batch: ImageBatch, batch_idx: int) -> dict[str, list[Tensor]]:
        """Predicts at the size of the ground truth; where a network gives NaN there is no label.

        Returns:
            `panoptic`, the (H, W, 2) maps by the first of the measured networks.
        """
        del batch_idx
        if len(batch["key"]) == 0:
            return {"panoptic": []}
        target = batch["target"]
        size = (target.shape[1], target.shape[2])
        maps = []
        for name, network in self.measured.items():
            try:
                maps.append(self.predictor(network, self.classes, batch["image"], size))
            except ReadError as error:
                log.warning("warning: %s: %s counts as void: %s", name, batch["key"], error)
                void = torch.full_like(target[..., 0], VOID)
                maps.append(torch.stack((void, torch.zeros_like(void)), dim=-1))
            cast(MetricCollection, self.quality[name]).update(maps[-1], target, batch["key"])
        return {"panoptic": list(maps[0])}

    def on_validation_epoch_end(self) -> None:
        """Logs the figures in percent and keeps the assignments apart, for whoever looks.

        `val/pq` is the first measured network's by the first protocol, `val_PROTOCOL/pq` by
        another; where several networks are measured, each has its `val/NAME_pq`.
        """
        assignments: dict[str, dict[str, list[int]]] = {}
        for name in self.measured:
            quality = cast(MetricCollection, self.quality[name])
            found = {
                protocol: cast(Any, quality[protocol]).compute() for protocol in self.protocols
            }
            quality.reset()
            assignments[name] = {p: figures["assignment"].tolist() for p, figures in found.items()}
            for protocol, figures in found.items():
                self._log_figures(name, protocol, figures)
        first = next(iter(self.measured))
        self.evaluation = {"selection": SELECTED_BY, "assignment": assignments[first]}

    def _log_figures(self, name: str, protocol: str, figures: Mapping[str, Tensor]) -> None:
        group = "val" if protocol == self.protocols[0] else f"val_{protocol}"
        names = list(self.measured)
        prefixes = [f"{group}/"] if name == names[0] else []
        prefixes += [f"{group}/{name}_"] if len(names) > 1 else []
        for prefix in prefixes:
            self.log_dict({f"{prefix}{kind}": PERCENT * figures[kind].float() for kind in LOGGED})

    def test_step(self, batch: ImageBatch, batch_idx: int) -> dict[str, list[Tensor]]:
        """As `validation_step`."""
        return self.validation_step(batch, batch_idx)

    def on_test_epoch_end(self) -> None:
        """As `on_validation_epoch_end`."""
        self.on_validation_epoch_end()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The classes travel with the weights; what was fitted on ground truth stays apart."""
        checkpoint["classes"] = dataclasses.asdict(self.classes)
        origin = self.label_origin
        supervision = tuple(dict.fromkeys((*origin.supervision, *self._inherited)))
        checkpoint |= {**dataclasses.asdict(origin), "supervision": supervision}
        checkpoint["evaluation"] = self.evaluation

    def on_load_checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        """Goes on with what the checkpoint knows; `configure_model` has built the network by now.

        Raises:
            UsageError: The weights are of other classes than the labels have.
            WeightsError: They are of another network.
        """
        trained = dataclasses.asdict(DetectorClasses.of(checkpoint["classes"]))
        changed = training_differences(trained, dataclasses.asdict(self.classes))
        if changed:
            msg = (
                f"{self.trainer.ckpt_path} was trained on other classes: {changed[0]}. "
                "Give the labels that it learned from, or train anew in another folder."
            )
            raise UsageError(msg)
        prefix, state = "network.", checkpoint["state_dict"]
        own = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        check_fits(self.network, own, source=str(self.trainer.ckpt_path))
        self.evaluation = dict(checkpoint.get("evaluation", {}))
        self._inherited = supervision_of(checkpoint)
        if self.trainer.training:
            self._begin_step_anew(checkpoint)

    def _begin_step_anew(self, checkpoint: Mapping[str, Any]) -> None:
        """Forgets micro-batches of an unfinished step: their gradients are in no checkpoint."""
        done = checkpoint["global_step"] * self.trainer.accumulate_grad_batches
        progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        if progress["current"]["ready"] > done:
            for counts in (progress["total"], progress["current"]):
                counts.update(dict.fromkeys(counts, done))
