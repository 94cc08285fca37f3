"""An embedding network goes on learning from the objects that it finds in semantic masks."""

from __future__ import annotations

import copy
from typing import Any, cast

import torch
from torch import Tensor, nn

from lightning_modules.panoptic_segmenter import PanopticSegmenter
from relief.ops.objects.instance_targets import renumber_instances
from relief.ops.objects.panoptic_map import majority_category
from relief.ops.resize import resize_nearest
from relief.schema.errors import UsageError
from relief.schema.observation import Observation
from relief.schema.parts import Splitter
from relief.schema.ranges import check_at_least
from relief.schema.training import PixelEmbedder, TrainingBatch


class ObjectSelfTrainer(PanopticSegmenter):
    """Learns from clusters of its own embeddings within the thing regions of some labels.

    The clusters are those of a frozen copy of the teacher, renewed every so many steps. Labels tell
    the regions only: their objects are not looked at. With `DomainPair` those are its unlabelled
    side, and images of the labelled side are learned beside them with their own objects; the batch
    sizes are the share of each. The criterion's `categories` are the group that is learned.

    Args:
        splitter: Finds objects in regions by embeddings: `EmbeddingClusters`.
        renewed_every_n_steps: Optimizer steps from one copy of the teacher to the next.
        **kwargs: As `PanopticSegmenter`; a teacher and a checkpoint to begin with are asked for.

    Raises:
        UsageError: There is no teacher or no checkpoint.
    """

    labelling: nn.Module

    def __init__(self, splitter: Splitter, renewed_every_n_steps: int = 500, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_at_least(1, renewed_every_n_steps=renewed_every_n_steps)
        if self.following is None or self.checkpoint is None:
            msg = (
                "self-training of objects goes on from a network and follows it. Name "
                "model.init_args.checkpoint and model.init_args.teacher."
            )
            raise UsageError(msg)
        self.splitter, self.renewed_every_n_steps = splitter, renewed_every_n_steps

    def configure_model(self) -> None:
        """Builds the network and its copies, once.

        Raises:
            UsageError: The labels do not tell thing classes apart.
        """
        if hasattr(self, "network"):
            return
        super().configure_model()
        if not self.classes.apart:
            msg = (
                "objects are found within regions of one class each: data.init_args.things_apart. "
                "Set it to true."
            )
            raise UsageError(msg)
        self.labelling = copy.deepcopy(self.teacher)  # in checkpoints too: a resume goes on with it

    def on_train_batch_start(self, batch: TrainingBatch, batch_idx: int) -> None:
        """Renews the labels where it is time."""
        del batch, batch_idx
        if self.global_step % self.renewed_every_n_steps == 0:
            self.labelling.load_state_dict(self.teacher.state_dict())

    def training_step(self, batch: TrainingBatch, batch_idx: int) -> Tensor:
        """The sum of the weighted losses against the objects found, and those that came along."""
        self.begin_step(batch_idx)
        if "unlabelled" not in batch:
            return self.learn(self.relabelled(batch))
        found = self.relabelled(cast(TrainingBatch, batch["unlabelled"]))
        return self.learn(
            TrainingBatch(
                image=torch.cat((batch["image"], found["image"])),
                semantic=torch.cat((batch["semantic"], found["semantic"])),
                instance=torch.cat((batch["instance"], found["instance"])),
                classes=[*batch["classes"], *found["classes"]],
                key=[*batch["key"], *found["key"]],
            )
        )

    @torch.no_grad()
    def relabelled(self, batch: TrainingBatch) -> TrainingBatch:
        """The batch with the objects that the frozen copy finds in its regions.

        Raises:
            UsageError: The labels of its regions are missing.
        """
        if "semantic" not in batch:
            msg = (
                "no regions to find objects in: data.unlabelled. Name "
                "datamodules.pseudo_labels.PseudoLabels with labels of these images there."
            )
            raise UsageError(msg)
        embeddings = cast(PixelEmbedder, self.labelling).embed(batch["image"])
        regions = batch["semantic"]
        of_thing = self.classes.region_of_thing().to(regions.device)
        thing_of = torch.full((1 + self.classes.num_regions,), -1, device=regions.device)
        thing_of[of_thing] = torch.arange(len(of_thing), device=regions.device)
        observation = Observation(
            semantic=resize_nearest(regions, (embeddings.shape[-2], embeddings.shape[-1])),
            things=thing_of >= 0,
            features=embeddings,
        )
        split = self.splitter.split(observation).instance
        size = (regions.shape[-2], regions.shape[-1])
        instances, classes = [], []
        for region, small in zip(regions, split, strict=True):
            inside = (region >= 0) & (thing_of[region.clamp(min=0)] >= 0)
            instance = torch.where(inside, resize_nearest(small, size), 0)
            category = majority_category(region, instance, len(thing_of))[1:]
            kept = renumber_instances(instance, thing_of[category.clamp(min=0)])
            instances.append(kept[0])
            classes.append(kept[1])
        told: dict[str, Any] = {"train/objects_found": sum(map(len, classes)) / len(classes)}
        self.log_dict(told, batch_size=len(classes), sync_dist=False)
        return {**batch, "instance": torch.stack(instances), "classes": classes}
