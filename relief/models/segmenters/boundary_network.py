"""Names and the boundaries of objects from colours alone: what boundaries part is an object.

Masks of detections take days to learn, names and boundaries minutes: a boundary is a matter of few
pixels, and every object of the labels has many of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relief.models.criteria.sure_labels import confidence_of
from relief.models.segmenters.embedding_network import Encoder
from relief.models.segmenters.encoders import SmallEncoder
from relief.models.segmenters.frozen_features import FrozenFeatures
from relief.models.segmenters.joining_decoder import joined, joints
from relief.models.segmenters.prediction.size import not_finite, resize_logits
from relief.ops.objects.instance_targets import instance_boxes
from relief.ops.objects.parted_regions import inner_boundaries, parted_things
from relief.ops.resize import resize_nearest
from relief.schema.label_spaces import VOID
from relief.schema.training import Detections, SegmenterPrediction, TrainingBatch, TrainingMoment

_MEAN, _DEVIATION = 0.45, 0.25  # of colours, roughly
_LEAST = torch.finfo(torch.float32).tiny
_LOST = 1e-6  # of the share of a class whose kind lost
_BOUNDARY_WEIGHT = 2.0  # of a pixel on a boundary, and of the loss beside that of the names


class BoundaryNetwork(nn.Module):
    """A U-Net beside frozen features, with a head of classes and one of boundaries.

    Trained on things apart. All pixels that are more likely a thing than not are one region, which
    the boundaries part; a part is an object, named by the class of most of its pixels.

    Args:
        num_things: Thing classes.
        num_regions: Regions, those of thing classes included.
        features: Any backbone of `label.py`; frozen, and read from its own file again.
        magnification: The features see the image so many times as large.
        encoder: See `Encoder`; `SmallEncoder()` unless given.
        widths: Channels of the decoder, see `joints`.
        guide_width: Channels that the features are brought to beside the encoder's coarsest map.
        boundary: Pixels with a higher probability part objects.
        min_area_px: Smaller parts are no objects; pixels of the decoder's finest map.
        reach_px: How far objects take pixels back from boundaries, in the same pixels.
        by_confidence: Pixels count in both losses as far as the labels are sure of them.

    Raises:
        UsageError: Labels of a training do not say how sure they are, and `by_confidence` asks.
    """

    def __init__(
        self,
        num_things: int,
        num_regions: int,
        features: nn.Module,
        magnification: float = 1.0,
        encoder: nn.Module | None = None,
        widths: Sequence[int] = (96, 64, 48),
        guide_width: int = 64,
        boundary: float = 0.2,
        min_area_px: int = 40,
        reach_px: int = 2,
        by_confidence: bool = False,
    ) -> None:
        super().__init__()
        self.num_things, self.num_stuff = num_things, num_regions - num_things
        self.boundary, self.min_area_px, self.reach_px = boundary, min_area_px, reach_px
        self.by_confidence = by_confidence
        self.frozen = FrozenFeatures(features, magnification).held_by(self)
        self.encoder = encoder if encoder is not None else SmallEncoder()
        channels = list(cast(Encoder, self.encoder).channels)
        channels[-1] += guide_width
        self.joints = joints(channels, widths)
        dim, classes = self.frozen.backbone.dim, 1 + num_regions
        self.guide = nn.Conv2d(dim, guide_width, 1)
        self.names_of_features = nn.Conv2d(dim, classes, 1)
        self.coarse_names = nn.Conv2d(widths[0] + guide_width, classes, 1)
        self.fine_names = nn.Conv2d(widths[-1], classes, 1)
        self.boundaries = nn.Conv2d(widths[-1], 1, 1)

    def setup(self) -> None:
        """Loads the weights of the frozen features; raises `WeightsError`."""
        self.frozen.backbone.setup()

    def see(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) -> logits (B, 1 + regions, h, w) and of boundaries (B, 1, h, w)."""
        seen = F.normalize(self.frozen(image), dim=1) * self.frozen.backbone.dim**0.5
        guide = F.relu(self.guide(seen))
        *fine, coarsest = self.encoder((image - _MEAN) / _DEVIATION)
        beside = torch.cat((coarsest, _enlarged(guide, coarsest)), dim=1)
        maps = list(joined(self.joints, [*fine, beside]))
        first, last = maps[0], maps[-1]
        coarse = self.coarse_names(torch.cat((first, _enlarged(guide, first)), dim=1))
        names = _enlarged(self.names_of_features(seen), last) + _enlarged(coarse, last)
        return (names + self.fine_names(last)).float(), self.boundaries(last).float()

    def logits(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) float32 in [0, 1] -> names alone, (B, 1 + regions, H, W)."""
        return _enlarged(self.see(image)[0], image)

    def forward(self, batch: TrainingBatch, moment: TrainingMoment) -> dict[str, Tensor]:
        """Cross entropies of names, and of boundaries where the labels have objects."""
        del moment
        names, boundaries = self.see(batch["image"])
        size = (names.shape[-2], names.shape[-1])
        targets = resize_nearest(batch["semantic"], size)
        sure = self._sure(batch, size)
        known = sure * (targets != VOID)
        each_name = F.cross_entropy(names, targets, ignore_index=VOID, reduction="none")
        loss = (each_name * known).sum() / known.sum().clamp(min=1)
        is_object = (batch["instance"] > 0)[:, None].float()
        inside = F.adaptive_max_pool2d(is_object, size) * sure[:, None]
        on = F.adaptive_max_pool2d(inner_boundaries(batch["instance"])[:, None].float(), size)
        weight = torch.full_like(boundaries, _BOUNDARY_WEIGHT)[:, :, :1, :1]
        each = F.binary_cross_entropy_with_logits(
            boundaries, on, pos_weight=weight, reduction="none"
        )
        parting = _BOUNDARY_WEIGHT * (each * inside).sum() / inside.sum().clamp(min=1)
        return {"loss_semantic": loss, "loss_boundary": parting}

    def _sure(self, batch: TrainingBatch, size: tuple[int, int]) -> Tensor:
        """Weights (B, h, w) of the pixels of labels; 1 unless `by_confidence`."""
        if not self.by_confidence:
            return torch.ones((len(batch["image"]), *size), device=batch["image"].device)
        return F.adaptive_avg_pool2d(confidence_of(batch)[:, None], size)[:, 0]

    def shares(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities of classes and of boundaries, the mean of the image and its mirror image.

        Args:
            image: (B, 3, H, W) float32 in [0, 1].

        Returns:
            (B, 1 + regions, h, w), class 0 always 0, as things are apart; and (B, h, w).
        """
        names, edges = self.see(image)
        mirrored, mirrored_edges = self.see(image.flip(-1))
        both = (names.softmax(dim=1) + mirrored.softmax(dim=1).flip(-1)) / 2
        known = torch.cat((torch.zeros_like(both[:, :1]), both[:, 1:]), dim=1)
        return known, ((edges.sigmoid() + mirrored_edges.sigmoid().flip(-1)) / 2)[:, 0]

    def traced(self) -> tuple[nn.Module, dict[str, Any]]:
        """Gives `shares` as a module to export, and the numbers that objects are made with."""
        rule = {"boundary": self.boundary, "min_area_px": self.min_area_px}
        return _Traced(self), {**rule, "reach_px": self.reach_px}

    @torch.no_grad()
    def predict(self, image: Tensor, size: tuple[int, int] | None = None) -> SegmenterPrediction:
        """Classes and objects, the mean of the image and its mirror image.

        `semantic_logits` are logarithms of probabilities; where all things together are likelier
        than all stuff, the best class is a thing.

        Args:
            image: (B, 3, H, W) float32 in [0, 1].
            size: (height, width) of masks and logits; the image's unless given.

        Raises:
            ReadError: What is seen is not finite.
        """
        size = size or (image.shape[-2], image.shape[-1])
        modes = {module: module.training for module in self.modules()}
        try:
            shares, edges = self.eval().shares(image)
        finally:
            for module, mode in modes.items():
                module.training = mode
        if not (torch.isfinite(shares).all() and torch.isfinite(edges).all()):
            raise not_finite()
        objects = [self._objects(*pair, size) for pair in zip(shares, edges, strict=True)]
        return SegmenterPrediction(
            semantic_logits=self._decided(resize_logits(shares, size)), detections=objects
        )

    def _decided(self, shares: Tensor) -> Tensor:
        """Logarithms of shares (B, C, H, W); the loser of things and stuff falls behind all."""
        first_thing = 1 + self.num_stuff
        is_thing = shares[:, first_thing:].sum(dim=1) > shares[:, :first_thing].sum(dim=1)
        of_things = torch.arange(shares.shape[1], device=shares.device) >= first_thing
        wins = is_thing[:, None] == of_things[:, None, None]
        return torch.where(wins, shares, shares * _LOST).clamp_min_(_LEAST).log_()

    def _objects(self, shares: Tensor, edges: Tensor, size: tuple[int, int]) -> Detections:
        """Objects of one image, from shares (C, h, w) and probabilities of boundaries (h, w)."""
        things = shares[1 + self.num_stuff :]
        likely = things.sum(dim=0)
        region = likely > shares[: 1 + self.num_stuff].sum(dim=0)
        instance = parted_things(region, edges > self.boundary, self.min_area_px, self.reach_px)
        number, flat = int(instance.max()), instance.flatten()
        pairs = flat * self.num_things + things.argmax(dim=0).flatten()
        votes = pairs.bincount(minlength=(number + 1) * self.num_things).view(number + 1, -1)
        sure = likely.new_zeros(number + 1).index_add(0, flat, likely.flatten())
        scores = (sure / votes.sum(dim=1).clamp(min=1))[1:].clamp(max=1)
        at_size = resize_nearest(instance, size)
        boxes = instance_boxes(at_size, number)
        order = scores.argsort(descending=True, stable=True)
        order = order[boxes[order, 2] > 0]  # a smaller map may lack a part
        return Detections(
            masks=at_size[None] == (order + 1)[:, None, None],
            boxes=boxes[order],
            classes=votes[1:].argmax(dim=1)[order],
            scores=scores[order],
        )


class _Traced(nn.Module):
    """Only what computes; the frozen network is a part here, so that its weights are exported."""

    def __init__(self, network: BoundaryNetwork) -> None:
        super().__init__()
        self.network, self.features = network.eval(), network.frozen.network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.shares(image)


def _enlarged(values: Tensor, like: Tensor) -> Tensor:
    """(B, C, h, w) at the size of another map."""
    return resize_logits(values, (like.shape[-2], like.shape[-1]))
