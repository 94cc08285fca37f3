"""First pass: features of the fit split to centroids."""

from __future__ import annotations

from typing import Any, cast

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from relief.models.cluster_segmentation import window_features
from relief.models.codebook import Codebook
from relief.models.feature_samples import key_generator, sample_features, samples_per_image
from relief.schema.batch import ImageBatch
from relief.schema.errors import UsageError
from relief.schema.geometry import WindowGeometry
from relief.schema.parts import Backbone, KMeansFitter


class CodebookFitter(pl.LightningModule):
    """Samples features image by image; rank 0 clusters those of all ranks, sorted by key.

    Args:
        kmeans: The clustering, for instance `LloydKMeans(k=80)`.
        backbone: The labeller's own instance.
        codebook: The labeller's own; `centroids` is the result of the pass.
        geometry: The labeller's own.
        max_samples: Features kept in all; bounds the memory however many images there are.
        seed: Of the sampling.
    """

    def __init__(
        self,
        kmeans: KMeansFitter,
        backbone: nn.Module,
        codebook: Codebook,
        geometry: WindowGeometry,
        max_samples: int = 2_000_000,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.kmeans = kmeans
        self.backbone = backbone
        self.codebook = codebook
        self.geometry = geometry
        self.max_samples = max_samples
        self.seed = seed
        self.num_images = 0
        self._samples: dict[str, Tensor] = {}

    def expect(self) -> None:
        """Tells the codebook how many clusters it is going to have; loads what the fit needs."""
        if hasattr(self.kmeans, "setup"):
            self.kmeans.setup()
        self.codebook.expect(self.kmeans.k)

    def begin(self, num_images: int) -> None:
        """Says how many images the pass has over all ranks."""
        self.num_images = num_images
        self._samples = {}

    @torch.no_grad()
    def predict_step(self, batch: ImageBatch, batch_idx: int) -> None:
        """Keeps some L2-normalised features of every image."""
        del batch_idx
        for key, image in zip(batch["key"], batch["image"], strict=True):
            self._samples[key] = self._sample(key, image).cpu()

    def _sample(self, key: str, image: Tensor) -> Tensor:
        backbone = cast(Backbone, self.backbone)
        windows = window_features(backbone, image, self.geometry)
        wanted = samples_per_image(self.num_images, self.max_samples)
        return sample_features(windows, backbone.patch_px, wanted, key_generator(self.seed, key))

    def on_predict_epoch_end(self) -> None:
        """Rank 0 clusters what all ranks sampled and tells the others."""
        strategy = self.trainer.strategy
        gathered = gather_to_rank_zero(self._samples)
        centroids: Tensor | None = None
        if self.trainer.is_global_zero:
            samples = {key: value for part in gathered for key, value in part.items()}
            if samples:
                ordered = torch.cat([samples[key] for key in sorted(samples)])
                centroids = self.kmeans.fit(ordered.to(self.device)).cpu()
        centroids = strategy.broadcast(centroids)
        if centroids is None:
            msg = "no codebook: no image of the fit split could be read. Check these files."
            raise UsageError(msg)
        self._samples = {}
        self.codebook.set_centroids(centroids)
        self.codebook.metadata = self._metadata()

    def _metadata(self) -> dict[str, Any]:
        """Where the centroids come from; everything here is the same on any number of ranks."""
        weights = getattr(self.backbone, "provenance", {}).get("weights", {})
        return {
            "features": f"{type(self.backbone).__module__}.{type(self.backbone).__qualname__}",
            "feature_weights": dict(weights),
            "kmeans": getattr(self.kmeans, "description", {}),
            "fit": {
                "split": self.trainer.datamodule.fit_split,  # type: ignore[attr-defined]
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
