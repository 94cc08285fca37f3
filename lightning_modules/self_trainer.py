"""Stage 3: a trained detector goes on learning from its own confident predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor, nn

from lightning_modules.segmenter_training import SegmenterTraining
from relief.models.optimization.trained_parameters import NamedParameters
from relief.models.segmenters.checkpoint import SegmenterCheckpoint, Which, read_segmenter
from relief.models.segmenters.prediction.predictor import PanopticPredictor
from relief.models.segmenters.prediction.test_time_augmentation import TestTimeAugmentation
from relief.models.self_training.pseudo_targets import pseudo_targets
from relief.models.self_training.rounds import Rounds
from relief.models.self_training.semantic_thresholds import ShareOfMaximum
from relief.models.teachers.mean_teacher import MeanTeacher
from relief.schema.batch import ImageBatch
from relief.schema.errors import ReadError, WeightsError
from relief.schema.training import (
    Augmentation,
    LabelOrigin,
    Segmenter,
    SemanticThreshold,
    TrainingBatch,
)
from relief.schema.training_parts import Criterion, RateSchedule, Teacher, TrainedParameters


class SelfTrainer(SegmenterTraining):
    """A student learns what its teacher, its own moving average, is sure of.

    Both begin as the network of a checkpoint. The teacher sees whole images as they are, in
    several views; the student sees them after the augmentations. Only the heads are trained unless
    `trained` says otherwise; what is frozen gets no gradient. `val/pq` is the teacher's, the one
    that is worth using; the student's is `val/student_pq`.

    Args:
        checkpoint: `last.ckpt` of a Stage 2 or Stage 3, or an exported network; not read where a
            training is resumed.
        network: Makes the network for (number of thing classes, number of regions), where the
            checkpoint does not say how.
        network_changes: Arguments of the network that are others than in the checkpoint.
        which: Of a Stage-3 checkpoint, the network to begin with; its teacher unless given.
        views: What the teacher sees of an image.
        semantic_threshold: Which pixels of the teacher's semantic map count;
            `ShareOfMaximum()` unless given.
        rounds: When the teacher is renewed, and how sure it has to be of its objects.
        augmentations: Applied to what the student sees, in this order.
        predictor: How outputs become a panoptic map, for measuring.
        criterion: What the losses are; those of the network itself unless given.
        teacher: How the teacher follows the student; `MeanTeacher()` unless given.
        trained: Which parameters are trained; the heads, `NamedParameters()`, unless given.
        optimizer: Takes their groups: AdamW.
        schedule: Factor on the learning rate by step; constant as published unless given.
        protocols: Protocols of the panoptic quality; the first one gives `val/pq`.
        assignment: How clusters meet classes on the validation images.
        seed: Of augmentations and sampling.
    """

    free_arguments = SegmenterTraining.free_arguments - {"predictor"}  # it makes the targets
    following: Teacher

    def __init__(
        self,
        checkpoint: Path,
        network: Callable[[int, int], nn.Module] | None = None,
        network_changes: dict[str, Any] | None = None,
        which: Which | None = None,
        views: TestTimeAugmentation = TestTimeAugmentation(),  # noqa: B008  # frozen
        semantic_threshold: SemanticThreshold | None = None,
        rounds: Rounds = Rounds(),  # noqa: B008  # frozen
        augmentations: Sequence[Augmentation] = (),
        predictor: PanopticPredictor = PanopticPredictor(),  # noqa: B008  # frozen
        criterion: Criterion | None = None,
        teacher: Teacher | None = None,
        trained: TrainedParameters | None = None,
        optimizer: OptimizerCallable = lambda groups: torch.optim.AdamW(
            groups, lr=1e-5, weight_decay=1e-5
        ),
        schedule: RateSchedule | None = None,
        protocols: Sequence[str] = ("panopticapi", "cups"),
        assignment: str = "majority",
        seed: int = 0,
    ) -> None:
        super().__init__(
            trained=trained or NamedParameters(),
            optimizer=optimizer,
            schedule=schedule,
            teacher=teacher or MeanTeacher(),
            criterion=criterion,
            augmentations=augmentations,
            predictor=predictor,
            protocols=protocols,
            assignment=assignment,
            seed=seed,
        )
        self.checkpoint, self.which = Path(checkpoint), which
        self.make_network, self.network_changes = network, network_changes or {}
        self.views, self.rounds = views, rounds
        self.semantic_threshold = semantic_threshold or ShareOfMaximum()

    @property
    def label_origin(self) -> LabelOrigin:
        """The labels of the network that all began with; the images bring none."""
        return cast(SegmenterCheckpoint, self._start).origin

    def configure_model(self) -> None:
        """Builds student and teacher, once; a training that is resumed needs no other checkpoint.

        Raises:
            WeightsError: The checkpoint cannot be read, or is of another network.
        """
        if hasattr(self, "network"):
            return
        if self.trainer.ckpt_path is not None:
            self._start = read_segmenter(Path(self.trainer.ckpt_path))
        elif self._start is None:
            self.find_start()
        start = cast(SegmenterCheckpoint, self._start)
        self._start = replace(start, weights={})  # not kept twice
        self.classes = start.classes
        self.network = start.build(self.make_network, self.network_changes)
        if self.make_network is None:
            self.network_settings = start.network
        if self.network_settings is not None:
            self.network_settings = self.network_settings.changed(self.network_changes)
        self.begin()
        self.network.train()  # the teacher stays in evaluation mode

    def on_train_batch_start(self, batch: ImageBatch, batch_idx: int) -> None:
        """Begins a round where one is due."""
        del batch, batch_idx
        if self.rounds.refreshes_at(self.global_step):
            self.following.renew(self.teacher, self.network)

    def training_step(self, batch: ImageBatch, batch_idx: int) -> Tensor:
        """The sum of the weighted losses against what the teacher sees in the clean images."""
        self.begin_step(batch_idx)
        return self.learn(self.targets(batch))

    @torch.no_grad()
    def targets(self, batch: ImageBatch) -> TrainingBatch:
        """The images with what the teacher is sure of at this step.

        Raises:
            TrainingDivergedError: The teacher gives values that are not finite.
        """
        score = self.rounds.score_at(self.global_step)
        seen = self.views(cast(Segmenter, self.teacher), batch["image"])
        predictor = replace(self.predictor, score_threshold=score)
        try:
            semantic, instance, classes = pseudo_targets(
                seen, self.classes, self.semantic_threshold, predictor
            )
        except ReadError as error:
            raise self.diverged("the teacher", batch["key"]) from error
        told: dict[str, Any] = {
            "train/teacher_objects": sum(map(len, classes)) / len(classes),
            "train/teacher_pixels": (semantic >= 0).float().mean(),
            "train/teacher_score": score,
        }
        self.log_dict(told, batch_size=len(classes), sync_dist=False)
        return TrainingBatch(
            image=batch["image"],
            semantic=semantic,
            instance=instance,
            classes=classes,
            key=batch["key"],
        )

    def refuse_other_teaching(self, has_teacher: bool) -> None:
        """Refuses a checkpoint of another stage, which cannot be gone on from.

        Raises:
            WeightsError: With the option that takes it.
        """
        if not has_teacher:
            msg = (
                f"no checkpoint of a self-training: {self.trainer.ckpt_path}. "
                "Begin with it: --model.init_args.checkpoint FILE."
            )
            raise WeightsError(msg)
