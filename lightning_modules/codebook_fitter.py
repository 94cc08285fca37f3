"""First pass: features of the fit split to centroids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from relief.models.codebooks.class_votes import (
    groups_of_classes,
    missing_classes,
    patch_classes,
    vote,
)
from relief.models.codebooks.codebook import Codebook
from relief.models.codebooks.feature_samples import (
    key_generator,
    patch_features,
    patch_grid,
    samples_per_image,
    some_of,
)
from relief.models.labelling.cluster_segmentation import window_features
from relief.schema.batch import Failure, ImageBatch, first_reasons
from relief.schema.errors import UsageError, reason_of
from relief.schema.geometry import WindowGeometry
from relief.schema.label_spaces import VOID, label_space
from relief.schema.parts import Backbone, KMeansFitter

Sample = tuple[Tensor, Tensor]  # features (N, C) of an image, and the classes (N,) under them


class CodebookFitter(pl.LightningModule):
    """Samples features image by image; rank 0 clusters those of all ranks, sorted by key.

    Args:
        kmeans: The clustering, for instance `LloydKMeans(k=80)`.
        backbone: The labeller's own instance.
        codebook: The labeller's own; `centroids` is the result of the pass.
        geometry: The labeller's own.
        max_samples: Features kept in all; bounds the memory however many images there are.
        seed: Of the sampling.
        oracle_classes: A label space such as `cityscapes19`: only patches whose ground truth is not
            void are kept, and a majority vote of theirs names the clusters, as published.
            Supervision, and recorded as such; things and groups follow from the classes.
    """

    def __init__(
        self,
        kmeans: KMeansFitter,
        backbone: nn.Module,
        codebook: Codebook,
        geometry: WindowGeometry,
        max_samples: int = 2_000_000,
        seed: int = 0,
        oracle_classes: str | None = None,
    ) -> None:
        super().__init__()
        self.kmeans = kmeans
        self.backbone = backbone
        self.codebook = codebook
        self.geometry = geometry
        self.max_samples = max_samples
        self.seed = seed
        self.oracle_classes = oracle_classes
        self.num_images, self.split = 0, ""
        self._samples: dict[str, Sample] = {}
        self._failures: list[Failure] = []

    @property
    def needs_targets(self) -> bool:
        """Whether the pass reads ground truth: only with `oracle_classes`."""
        return self.oracle_classes is not None

    def expect(self) -> None:
        """Tells the codebook how many clusters it is going to have; loads what the fit needs.

        Raises:
            WeightsError: Published centroids cannot be read.
        """
        if hasattr(self.kmeans, "setup"):
            self.kmeans.setup()
        self.codebook.expect(self.kmeans.k, getattr(self.kmeans, "sources", {}))

    def begin(self, num_images: int, split: str) -> None:
        """Says how many images the pass has over all ranks, and of which split they are."""
        self.num_images, self.split = num_images, split
        self._samples, self._failures = {}, []

    @torch.no_grad()
    def predict_step(self, batch: ImageBatch, batch_idx: int) -> None:
        """Keeps some L2-normalised features of every image."""
        del batch_idx
        self._failures += batch.get("failures", [])
        for i, (key, image) in enumerate(zip(batch["key"], batch["image"], strict=True)):
            target = batch["target"][i, ..., 0] if self.needs_targets else None
            try:
                features, classes = self._sample(key, image, target)
            except Exception as error:
                self._failures.append({"key": key, "reason": reason_of(error, key)})
                continue
            self._samples[key] = features.cpu(), classes.cpu()

    def _sample(self, key: str, image: Tensor, target: Tensor | None) -> Sample:
        backbone = cast(Backbone, self.backbone)
        windows = window_features(backbone, image, self.geometry)
        features = patch_features(windows, backbone.patch_px)
        classes = torch.full((len(features),), VOID)
        allowed = torch.arange(len(features))
        if target is not None:
            classes = patch_classes(target, patch_grid(windows, backbone.patch_px)).cpu()
            allowed = torch.nonzero(classes >= 0).flatten()
        wanted = samples_per_image(self.num_images, self.max_samples)
        kept = some_of(allowed, wanted, key_generator(self.seed, key))
        return features[kept.to(features.device)], classes[kept]

    def on_predict_epoch_end(self) -> None:
        """Rank 0 clusters what all ranks sampled and tells the others."""
        strategy = self.trainer.strategy
        strategy.barrier("samples")
        gathered = gather_to_rank_zero(self._samples)
        fitted = self._clustered(gathered) if self.trainer.is_global_zero else None
        self._conclude(strategy.broadcast(fitted))

    def finish_alone(self) -> None:
        """Clusters what was sampled, where no trainer runs the pass.

        Raises:
            UsageError: There is nothing to cluster.
        """
        self._conclude(self._clustered([self._samples]))

    def _clustered(self, gathered: Sequence[Mapping[str, Sample]]) -> Sample | None:
        samples = {key: value for part in gathered for key, value in part.items()}
        return self._fit([samples[key] for key in sorted(samples)])

    def _conclude(self, fitted: Sample | None) -> None:
        if fitted is None:
            msg = f"no codebook: no image of the fit split {self._lack}. Check its files."
            raise UsageError(msg)
        self._samples = {}
        self._fill(*fitted)

    @property
    def _lack(self) -> str:
        if self._failures:
            return f"could be read ({first_reasons(self._failures).removesuffix('.')})"
        return "has ground truth that is not void" if self.needs_targets else "could be read"

    def _fit(self, samples: Sequence[Sample]) -> Sample | None:
        """Centroids (k, C) and their classes (k,), none without ground truth."""
        if sum(len(features) for features, _ in samples) == 0:
            return None
        features = torch.cat([features for features, _ in samples]).to(self.device)
        centroids = self.kmeans.fit(features)
        if self.oracle_classes is None:
            return centroids.cpu(), torch.full((len(centroids),), VOID)
        classes = torch.cat([classes for _, classes in samples]).to(self.device)
        num_classes = label_space(self.oracle_classes).num_classes
        return centroids.cpu(), vote(features, classes, centroids, num_classes).cpu()

    def _fill(self, centroids: Tensor, classes: Tensor) -> None:
        if self.oracle_classes is None:
            self.codebook.set_centroids(centroids)
            self.codebook.metadata = self._metadata()
            return
        space = label_space(self.oracle_classes)
        missing = missing_classes(classes, space)
        metadata = self._metadata()
        of = f"the ground truth of {metadata['fit']['split']}"
        self.codebook.fill(
            centroids,
            *groups_of_classes(classes, space),
            classes,
            {
                **metadata,
                "classes": space.name,
                "missing_classes": missing,
                "notes": [f"no cluster stands for {', '.join(missing)}"] if missing else [],
                "supervision": [
                    *metadata.get("supervision", []),
                    f"codebook: centroids fitted on patches that are not void in {of}",
                    f"codebook: clusters named by a majority vote of {of}",
                ],
            },
        )

    def _metadata(self) -> dict[str, Any]:
        """Where the centroids come from; everything here is the same on any number of ranks."""
        weights = getattr(self.backbone, "provenance", {}).get("weights", {})
        told = [f"codebook: {line}" for line in getattr(self.kmeans, "supervision", ())]
        return {
            **({"supervision": told} if told else {}),
            "features": f"{type(self.backbone).__module__}.{type(self.backbone).__qualname__}",
            "feature_weights": dict(weights),
            "kmeans": getattr(self.kmeans, "description", {}),
            "fit": {
                "split": self.split,
                "images": self.num_images,
                "max_samples": self.max_samples,
                "seed": self.seed,
            },
        }


def gather_to_rank_zero(value: Any) -> list[Any]:
    """The values of all ranks in the order of the ranks; only rank 0's list is filled."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return [value]
    rank = torch.distributed.get_rank()
    gathered: list[Any] | None = [None] * torch.distributed.get_world_size() if rank == 0 else None
    torch.distributed.gather_object(value, gathered, dst=0)
    return gathered or []
