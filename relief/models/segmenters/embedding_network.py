"""A U-Net that gives every pixel an embedding; objects are clusters of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from relief.models.criteria.pixel_embeddings import PixelEmbeddings
from relief.models.segmenters.encoders import SmallEncoder
from relief.models.segmenters.joining_decoder import joined, joints
from relief.models.segmenters.prediction.size import not_finite
from relief.ops.embeddings.clusters import mean_shift, merge_close_clusters
from relief.ops.embeddings.losses import kernel_width, object_means, soft_mask
from relief.ops.objects.instance_targets import instance_boxes
from relief.ops.resize import resize_nearest
from relief.schema.training import Detections, SegmenterPrediction, TrainingBatch, TrainingMoment

_SMOOTH = 1e-3


class Encoder(Protocol):
    """An `nn.Module` that sees features at rising strides.

    Attributes:
        channels: Of each map of features, the finest first.
    """

    channels: Sequence[int]

    def __call__(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) float32 in [0, 1] -> maps of features, the finest first."""
        ...


class EmbeddingNetwork(nn.Module):
    """An encoder, a decoder that joins its features from coarse to fine, and a linear layer.

    Pixels of one object lie near each other among the embeddings. The network knows no classes:
    what is a thing is told to whoever clusters.

    Args:
        num_things: Not used: objects have no classes here.
        num_regions: Not used.
        encoder: An `nn.Module`, see `Encoder`; `SmallEncoder()` unless given.
        dim: Numbers of an embedding.
        widths: Channels of the decoder, one fewer than the encoder has maps, the coarsest first;
            multiples of 8.
        delta_v: Radius of an object, as in the criterion; for `predict` alone.
        delta_d: Clusters nearer than this are one, for `predict` alone.

    Raises:
        UsageError: The widths do not fit the encoder.
    """

    def __init__(
        self,
        num_things: int = 0,
        num_regions: int = 0,
        encoder: nn.Module | None = None,
        dim: int = 8,
        widths: Sequence[int] = (96, 64, 32),
        delta_v: float = 0.5,
        delta_d: float = 1.5,
    ) -> None:
        super().__init__()
        del num_things, num_regions
        self.encoder = encoder if encoder is not None else SmallEncoder()
        self.delta_v, self.delta_d = delta_v, delta_d
        self.joints = joints(cast(Encoder, self.encoder).channels, widths)
        self.head = nn.Conv2d(widths[-1], dim, 1)

    def setup(self) -> None:
        """Loads the weights of the encoder, if it has any; raises `WeightsError`."""
        load = getattr(self.encoder, "setup", None)
        if load is not None:
            load()

    def embed(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) float32 in [0, 1] -> (B, E, h, w) at the encoder's finest stride.

        Images are normalised each by its own mean and deviation.
        """
        deviation, mean = torch.std_mean(image, dim=(1, 2, 3), keepdim=True)
        *_, values = joined(self.joints, self.encoder((image - mean) / (deviation + _SMOOTH)))
        return self.head(values).float()

    def forward(self, batch: TrainingBatch, moment: TrainingMoment) -> dict[str, Tensor]:
        """The losses of `PixelEmbeddings` that need no teacher."""
        return PixelEmbeddings(consistency=0)(self, batch, moment)

    @torch.no_grad()
    def predict(self, image: Tensor, size: tuple[int, int] | None = None) -> SegmenterPrediction:
        """Clusters whole images: every cluster is an object, all pixels are things.

        Within semantic masks `relief.splitters.embedding_clusters` finds objects better.

        Args:
            image: (B, 3, H, W) float32 in [0, 1].
            size: (height, width) of masks and logits; the image's unless given.

        Raises:
            ReadError: Embeddings are not finite.
        """
        size = size or (image.shape[-2], image.shape[-1])
        modes = {module: module.training for module in self.modules()}
        try:
            embeddings = self.eval().embed(image)
        finally:
            for module, mode in modes.items():
                module.training = mode
        if not torch.isfinite(embeddings).all():
            raise not_finite()
        logits = image.new_zeros((len(image), 1, *size))
        return SegmenterPrediction(
            semantic_logits=logits, detections=[self._objects(one, size) for one in embeddings]
        )

    def _objects(self, embedding: Tensor, size: tuple[int, int]) -> Detections:
        points = embedding.flatten(1).T
        found = mean_shift(points, self.delta_v, min_support=0.001 * len(points))
        found = merge_close_clusters(points, found, self.delta_d)
        instance = found.view(embedding.shape[1:]) + 1
        means = object_means(embedding, instance)[1:]
        distance = torch.linalg.vector_norm(points - means[found], dim=1)
        sure = soft_mask(distance, kernel_width(self.delta_v))
        scores = sure.new_zeros(len(means)).index_add(0, found, sure) / found.bincount()
        at_size = resize_nearest(instance, size)
        order = scores.argsort(descending=True)
        return Detections(
            masks=at_size[None] == (order + 1)[:, None, None],
            boxes=instance_boxes(at_size, len(means))[order],
            classes=torch.zeros_like(order),
            scores=scores[order],
        )
