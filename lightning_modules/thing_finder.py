"""Second pass: which clusters are things, which are split together, and (oracle) their classes."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_modules.codebook_fitter import gather_to_rank_zero
from relief.models.codebooks.codebook import Codebook
from relief.models.codebooks.feature_samples import key_generator, some_of
from relief.models.codebooks.finer_things import refine_things
from relief.models.codebooks.thing_rule import Decision
from relief.models.labelling.observer import Observer
from relief.models.labelling.refined_segmentation import RefinedSegmentation
from relief.ops.resize import resize_nearest
from relief.ops.thingness import ClusterStatistics, cluster_statistics
from relief.schema.batch import ImageBatch
from relief.schema.errors import ReadError, UsageError, reason_of
from relief.schema.geometry import WindowGeometry
from relief.schema.label_spaces import VOID, label_space
from relief.schema.observation import FEATURES
from relief.schema.parts import KMeansFitter

_FEATURES_PER_IMAGE = 2000  # as the first pass takes from few images

log = logging.getLogger("relief")


class DecidesThings(Protocol):
    """The seam for rules, such as `relief.models.codebooks.thing_rule.ThingRule`."""

    def decide(self, images: Sequence[ClusterStatistics], centroids: Tensor) -> Decision:
        """From counts of some images, in any parts, and centroids (k, C) to things and groups."""
        ...


class ThingFinder(pl.LightningModule):
    """Counts, image by image, how the regions of every cluster lie in depth; then decides.

    Args:
        rule: Decides from the counts and the centroids; label-free by default.
        backbone: The labeller's own instance.
        codebook: The labeller's own, with centroids; filled at the end of the pass.
        geometry: The labeller's own.
        depth: The labeller's own depth network, or `None`.
        split_short_side_px: The labeller's own: regions are counted where splitting runs.
        segmentation: The labeller's own: regions are those of the labels.
        oracle_classes: A label space such as `cityscapes19`: clusters become classes by a majority
            vote of ground truth, as published. Supervision, and recorded as such.
        finer_things: Clusters the features of all things again once things are known, so that
            objects are named more finely than stuff; see `refine_things`. `None`: they keep the
            clusters of the first pass.

    Raises:
        UsageError: Clusters that are clustered again are to be named by ground truth.
    """

    def __init__(
        self,
        rule: DecidesThings,
        backbone: nn.Module,
        codebook: Codebook,
        geometry: WindowGeometry,
        depth: nn.Module | None = None,
        split_short_side_px: int = 512,
        segmentation: RefinedSegmentation | None = None,
        oracle_classes: str | None = None,
        finer_things: KMeansFitter | None = None,
    ) -> None:
        super().__init__()
        if oracle_classes is not None and finer_things is not None:
            msg = (
                f"classes of {oracle_classes} are voted for before things are clustered again: "
                "thingness.finer_things. Leave it out, or thingness.oracle_classes."
            )
            raise UsageError(msg)
        self.finer_things = finer_things
        self.rule = rule
        self.backbone = backbone
        self.codebook = codebook
        self.geometry = geometry
        self.depth = depth
        self.split_short_side_px = split_short_side_px
        self.segmentation = segmentation
        self.oracle_classes = oracle_classes
        self._counts: ClusterStatistics | None = None
        self._votes: Tensor | None = None
        self._reasons: list[str] = []
        self._features: dict[str, Tensor] = {}

    def expect(self) -> None:
        """Tells the codebook how many clusters things may add to those of the first pass."""
        if self.finer_things is not None:
            wanted = self.codebook.wanted_k + self.finer_things.k
            self.codebook.expect(wanted, self.codebook.sources)

    @property
    def needs_targets(self) -> bool:
        """Whether the pass reads ground truth: only with `oracle_classes`."""
        return self.oracle_classes is not None

    def on_predict_start(self) -> None:
        """Counts start from nothing."""
        self._counts = ClusterStatistics.nothing(len(self.codebook.centroids))
        self._votes, self._reasons, self._features = None, [], {}

    @torch.no_grad()
    def predict_step(self, batch: ImageBatch, batch_idx: int) -> None:
        """Counts the regions of a batch; an image that the depth network refuses is left out."""
        del batch_idx
        assert self._counts is not None
        for i, (key, image) in enumerate(zip(batch["key"], batch["image"], strict=True)):
            depth = batch["depth"][i : i + 1] if "depth" in batch else None
            try:
                semantic, counts = self._count(key, image, depth)
            except Exception as error:
                self._reasons.append(f"{key}: {reason_of(error, key).removeprefix(f'{key}: ')}")
                log.info("not counted for things: %s", self._reasons[-1])
                continue
            self._counts += counts
            if self.oracle_classes is not None and "target" in batch:
                self._vote(semantic, batch["target"][i, ..., 0])

    def _count(
        self, key: str, image: Tensor, depth: Tensor | None
    ) -> tuple[Tensor, ClusterStatistics]:
        """The semantic map of an image at its own size, and its counts where splitting runs."""
        observer = Observer.of(self)
        wanted = () if self.finer_things is None else (FEATURES,)
        semantic, observation = observer.observe(image, depth, wanted)
        at_size = None if observation.depth is None else observation.depth[0]
        counts = cluster_statistics(observation.semantic[0], at_size, len(self.codebook.centroids))
        if observation.features is not None:
            features = F.normalize(observation.features[0].flatten(1).T, dim=1).cpu()
            kept = some_of(torch.arange(len(features)), _FEATURES_PER_IMAGE, key_generator(0, key))
            self._features[key] = features[kept]
        return semantic, counts

    def _vote(self, semantic: Tensor, target: Tensor) -> None:
        """Adds the pixels of one image: semantic (H, W) clusters, target (h, w) class ids."""
        semantic = resize_nearest(semantic, (target.shape[0], target.shape[1]))
        classes = label_space(cast(str, self.oracle_classes)).num_classes
        k = len(self.codebook.centroids)
        known = (semantic >= 0) & (target >= 0)
        votes = torch.bincount(semantic[known] * classes + target[known], minlength=k * classes)
        votes = votes.view(k, classes).cpu()
        self._votes = votes if self._votes is None else self._votes + votes

    def on_predict_epoch_end(self) -> None:
        """Rank 0 decides from the counts of all ranks and tells the others."""
        self.trainer.strategy.barrier("counts")
        gathered = gather_to_rank_zero(self._seen)
        decided = self._decided(gathered) if self.trainer.is_global_zero else ()
        self._conclude(*self.trainer.strategy.broadcast(decided))

    def finish_alone(self) -> None:
        """Decides from what was counted, where no trainer runs the pass.

        Raises:
            ReadError: No image was counted.
        """
        self._conclude(*self._decided([self._seen]))

    @property
    def _seen(self) -> tuple[Any, ...]:
        """All that this process knows."""
        return self._counts, self._votes, self._reasons, self._features

    def _decided(self, gathered: Sequence[Any]) -> tuple[Any, ...]:
        counts = [part[0] for part in gathered]
        self._refuse_nothing(counts, [reason for part in gathered for reason in part[2]])
        votes = [part[1] for part in gathered if part[1] is not None]
        centroids = self.codebook.centroids.cpu()
        _, groups, record = self.rule.decide(counts, centroids)
        if self.finer_things is not None:
            features = {key: value for part in gathered for key, value in part[3].items()}
            centroids, groups = self._refined(centroids, groups, features)
        return centroids, groups, record, torch.stack(votes).sum(0) if votes else None

    def _refined(
        self, centroids: Tensor, groups: Tensor, features: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Centroids and groups with finer things, from the features (N, C) of each image."""
        assert self.finer_things is not None
        sampled = torch.cat([features[key] for key in sorted(features)]).to(self.device)
        refined = refine_things(
            centroids.to(sampled), groups.to(sampled.device), sampled, self.finer_things
        )
        return refined[0].cpu(), refined[1].cpu()

    def _conclude(
        self, centroids: Tensor, groups: Tensor, record: Mapping[str, Any], votes: Tensor | None
    ) -> None:
        known = self.codebook.metadata
        notes = list(dict.fromkeys((*known.get("notes", ()), *record.get("notes", ()))))
        metadata = {**known, "things": record, "notes": notes, **self._oracle_metadata()}
        if self.finer_things is not None:
            metadata["finer_things"] = getattr(self.finer_things, "description", {})
        self._features = {}
        class_of_cluster = None
        if votes is not None:
            most, winner = votes.max(dim=1)
            class_of_cluster = torch.where(most > 0, winner, torch.full_like(winner, VOID))
        self.codebook.fill(centroids, groups >= 0, groups, class_of_cluster, metadata)

    @staticmethod
    def _refuse_nothing(counts: Sequence[ClusterStatistics], reasons: Sequence[str]) -> None:
        if sum(part.images for part in counts) == 0:
            first = reasons[0].removesuffix(".") if reasons else "none could be read"
            msg = f"no image was counted for things ({first}). Check the images and the networks."
            raise ReadError(msg)

    def _oracle_metadata(self) -> dict[str, Any]:
        if self.oracle_classes is None:
            return {}
        split = self.trainer.datamodule.observe_source.split  # type: ignore[attr-defined]
        sentence = f"codebook: clusters named by a majority vote of the ground truth of {split}"
        return {"classes": self.oracle_classes, "supervision": [sentence]}
