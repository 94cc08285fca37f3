"""Objects first inside a detector: it finds objects of one class, its semantic head names them."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from relief.models.segmenters.prediction.size import not_finite
from relief.schema.training import (
    Detections,
    Segmenter,
    SegmenterPrediction,
    TrainingBatch,
    TrainingMoment,
)


class OneClassObjects(nn.Module):
    """Any detector whose boxes and masks know one class, trained on things apart.

    An object has the thing class whose probability, summed over its mask, is the largest. Finer
    names then cost no objects: all objects of the labels teach one set of boxes and masks.

    Args:
        num_things: Thing classes.
        num_regions: Regions, those of thing classes included.
        network: Makes the detector for (number of thing classes, number of regions).
    """

    def __init__(
        self, num_things: int, num_regions: int, network: Callable[[int, int], nn.Module]
    ) -> None:
        super().__init__()
        self.first_thing = 1 + num_regions - num_things
        self.network = network(1, num_regions)

    def setup(self) -> None:
        """Loads the weights of the detector; raises `WeightsError`."""
        cast(Segmenter, self.network).setup()

    def forward(self, batch: TrainingBatch, moment: TrainingMoment) -> dict[str, Tensor]:
        """The losses of the detector, for which all objects are of one class."""
        classes = [torch.zeros_like(of_image) for of_image in batch["classes"]]
        losses: dict[str, Tensor] = self.network({**batch, "classes": classes}, moment)
        return losses

    @torch.no_grad()
    def predict(self, image: Tensor, size: tuple[int, int] | None = None) -> SegmenterPrediction:
        """As the detector, with objects named; see `Segmenter.predict`.

        Raises:
            ReadError: What the detector says is not finite.
        """
        found = cast(Segmenter, self.network).predict(image, size)
        logits = found["semantic_logits"]
        if not torch.isfinite(logits.amax(dim=1)).all():
            raise not_finite()
        things = logits.softmax(dim=1)[:, self.first_thing :]
        named = [self._named(*pair) for pair in zip(found["detections"], things, strict=True)]
        return SegmenterPrediction(semantic_logits=logits, detections=named)

    @staticmethod
    def _named(found: Detections, things: Tensor) -> Detections:
        """Objects of one image by the shares (things, H, W) inside their masks."""
        votes = found["masks"].flatten(1).to(things.dtype) @ things.flatten(1).T
        return Detections(
            masks=found["masks"],
            boxes=found["boxes"],
            classes=votes.argmax(dim=1),
            scores=found["scores"],
        )
