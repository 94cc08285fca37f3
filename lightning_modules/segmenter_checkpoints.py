"""The content of a segmenter's checkpoint beside its weights, and which checkpoint fits."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, cast

from torch import nn

from lightning_modules.segmenter_measuring import SegmenterMeasuring
from relief.models.segmenters.checkpoint import NETWORK_KEY, PREDICTION_KEY, supervision_of
from relief.models.segmenters.network_settings import NetworkSettings
from relief.models.segmenters.prediction.predictor import PanopticPredictor
from relief.models.weights.files import check_fits
from relief.schema.errors import UsageError, WeightsError
from relief.schema.training import DetectorClasses, LabelOrigin, Segmenter
from relief.schema.training_parts import Teacher
from relief.schema.training_settings import training_differences

STUDENT, TEACHER = "network.", "teacher."  # of the names in a state dict


class SegmenterCheckpoints(SegmenterMeasuring):
    """One network that is trained, perhaps with a teacher, and its checkpoints.

    Args:
        teacher: How the network that teaches follows the one that learns; `None`: there is none.
        predictor: How outputs become a panoptic map.
        protocols: Protocols of the panoptic quality; the first one gives `val/pq`.
        assignment: How clusters meet classes on the validation images.

    Attributes:
        network: What is trained.
        teacher: What teaches it, if anything; where there is one it is what is measured first.
        network_settings: How the network is made; `None` where only its maker is known.
    """

    network: nn.Module
    teacher: nn.Module

    def __init__(
        self,
        teacher: Teacher | None,
        predictor: PanopticPredictor,
        protocols: Sequence[str],
        assignment: str,
    ) -> None:
        super().__init__(predictor, protocols, assignment)
        self.following = teacher
        self.network_settings: NetworkSettings | None = None
        self._inherited: tuple[str, ...] = ()

    def keep_settings(self, arguments: Mapping[str, Any]) -> None:
        """Keeps for the checkpoints what the configuration says of the network, if anything."""
        self.network_settings = NetworkSettings.of(arguments.get("network"))

    @property
    def segmenter(self) -> Segmenter:
        """The trained network by what it offers."""
        return cast(Segmenter, self.network)

    @property
    def measured(self) -> Mapping[str, Segmenter]:
        """The network, or its teacher and itself."""
        if self.following is None:
            return {"network": self.segmenter}
        return {"teacher": cast(Segmenter, self.teacher), "student": self.segmenter}

    @property
    def label_origin(self) -> LabelOrigin:
        """Where the labels that are learned come from."""
        origin: LabelOrigin = cast(Any, self.trainer).datamodule.label_origin
        return origin

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Classes and network travel with the weights; what ground truth fitted stays apart."""
        checkpoint["classes"] = dataclasses.asdict(self.classes)
        checkpoint[PREDICTION_KEY] = self.predictor.settings
        if self.network_settings is not None:
            checkpoint[NETWORK_KEY] = dataclasses.asdict(self.network_settings)
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
        state = checkpoint["state_dict"]
        own = {k.removeprefix(STUDENT): v for k, v in state.items() if k.startswith(STUDENT)}
        check_fits(self.network, own, source=str(self.trainer.ckpt_path))
        self.refuse_other_teaching(any(name.startswith(TEACHER) for name in state))
        self.evaluation = dict(checkpoint.get("evaluation", {}))
        self._inherited = supervision_of(checkpoint)
        if self.trainer.training:
            self._begin_step_anew(checkpoint)

    def refuse_other_teaching(self, has_teacher: bool) -> None:
        """Refuses a checkpoint with a teacher where there is to be none, or without one.

        Raises:
            WeightsError: With what to give.
        """
        if has_teacher != (self.following is not None):
            msg = (
                f"{self.trainer.ckpt_path} was trained {'with' if has_teacher else 'without'} a "
                "teacher. Give the same --model.init_args.teacher, or train anew in another folder."
            )
            raise WeightsError(msg)

    def _begin_step_anew(self, checkpoint: Mapping[str, Any]) -> None:
        """Forgets micro-batches of an unfinished step: their gradients are in no checkpoint."""
        done = checkpoint["global_step"] * self.trainer.accumulate_grad_batches
        progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        if progress["current"]["ready"] > done:
            for counts in (progress["total"], progress["current"]):
                counts.update(dict.fromkeys(counts, done))
