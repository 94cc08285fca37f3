"""Networks that tell classes pixel by pixel, and find no objects."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from relief.models.segmenters.prediction.size import resize_logits
from relief.schema.label_spaces import VOID
from relief.schema.training import Detections, SegmenterPrediction, TrainingBatch, TrainingMoment

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet


class Body(Protocol):
    """An `nn.Module` that sees features at two strides.

    Attributes:
        channels: Of the features at stride 4 and at stride 8.
    """

    channels: tuple[int, int]

    def __call__(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W), normalised -> (B, C, H / 4, W / 4) and (B, C, H / 8, W / 8)."""
        ...


class SemanticNetwork(nn.Module):
    """A body and a head of logits; a `relief.schema.training.Segmenter` without detections.

    Trained on things apart, so that every class has its region; region 0 stays unused.

    Args:
        body: An `nn.Module`, see `Body`; its weights load in `setup`, if it has such a method.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.channels: tuple[int, int] = cast(Body, body).channels
        for name, values in (("mean", _MEAN), ("deviation", _DEVIATION)):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1), persistent=False)

    @abstractmethod
    def head_logits(self, low: Tensor, high: Tensor) -> Tensor:
        """Turns the features of the body into logits (B, 1 + regions, h, w) of any size."""
        ...

    def setup(self) -> None:
        """Loads the weights of the body, if it has any; raises `WeightsError`."""
        load = getattr(self.body, "setup", None)
        if load is not None:
            load()

    def logits(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) float32 in [0, 1] -> (B, 1 + regions, H, W), with gradients."""
        low, high = self.body((image - self.mean) / self.deviation)
        return resize_logits(self.head_logits(low, high), (image.shape[-2], image.shape[-1]))

    def forward(self, batch: TrainingBatch, moment: TrainingMoment) -> dict[str, Tensor]:
        """Cross entropy, the mean over all pixels; those that are ignored count 0."""
        del moment
        logits = self.logits(batch["image"])
        loss = F.cross_entropy(logits, batch["semantic"], ignore_index=VOID, reduction="sum")
        return {"loss_semantic": loss / batch["semantic"].numel()}

    @torch.no_grad()
    def predict(self, image: Tensor, size: tuple[int, int] | None = None) -> SegmenterPrediction:
        """Classes in evaluation mode, and no objects; the mode is left as it is found.

        Args:
            image: (B, 3, H, W) float32 in [0, 1].
            size: (height, width) of the logits; the image's unless given.
        """
        modes = {module: module.training for module in self.modules()}
        try:
            logits = self.eval().logits(image).float()
        finally:
            for module, mode in modes.items():
                module.training = mode
        logits = resize_logits(logits, size or (image.shape[-2], image.shape[-1]))
        nothing = [_no_objects(logits) for _ in image]
        return SegmenterPrediction(semantic_logits=logits, detections=nothing)


def _no_objects(logits: Tensor) -> Detections:
    return Detections(
        masks=logits.new_zeros((0, *logits.shape[-2:]), dtype=torch.bool),
        boxes=logits.new_zeros((0, 4)),
        classes=logits.new_zeros(0, dtype=torch.int64),
        scores=logits.new_zeros(0),
    )
