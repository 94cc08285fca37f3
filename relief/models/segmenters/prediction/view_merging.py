"""Merging of what several views of one image show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from relief.models.segmenters.prediction.size import paste_detections, resize_logits
from relief.schema.training import Detections, ScoredBoxes, Segmenter, ViewSteps

Merge = Callable[[ScoredBoxes], Tensor]
"""Boxes of all views in one image -> (M,) int64, which of them stay."""


class View(NamedTuple):
    """Views of one image and of one size."""

    batch: Tensor  # (n, 3, h, w) float32 in [0, 1]
    mirrored: tuple[bool, ...]  # which of them are
    image_size: tuple[int, int]  # (height, width) of the image

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the views."""
        return self.batch.shape[-2], self.batch.shape[-1]


def merge_predictions(
    network: Segmenter, views: Iterable[View], size: tuple[int, int], merge: Merge
) -> tuple[Tensor, Detections]:
    """Merges whole predictions: the mask of an object is that of the view that saw it best.

    Args:
        network: Trained.
        views: Of one image.
        size: (height, width) of what is returned.
        merge: Which objects of all views stay.

    Returns:
        (C, *size) float32, the mean probabilities of the semantic classes, and the objects.
    """
    logits, objects = [], []
    for view in views:
        found = network.predict(view.batch, size)
        logits += [
            _upright(*pair) for pair in zip(found["semantic_logits"], view.mirrored, strict=True)
        ]
        for detections, flip in zip(found["detections"], view.mirrored, strict=True):
            objects.append(
                Detections(
                    masks=_upright(detections["masks"], flip),
                    boxes=_mirrored(detections["boxes"], size[1], flip),
                    classes=detections["classes"],
                    scores=detections["scores"],
                )
            )
    kept = merge(_joined(objects))
    return _mean_probabilities(logits, size), Detections(
        masks=torch.cat([one["masks"] for one in objects])[kept], **_chosen(_joined(objects), kept)
    )


def merge_steps(
    network: ViewSteps, views: Iterable[View], size: tuple[int, int], merge: Merge
) -> tuple[Tensor, Detections]:
    """Merges boxes first, then the masks that all views see in them; as `merge_predictions`."""
    encoded = [(view, network.encode(view.batch)) for view in views]
    logits: list[Tensor] = []
    boxes: list[ScoredBoxes] = []
    for view, features in encoded:
        maps = network.semantic_logits(features)
        logits += [_upright(*pair) for pair in zip(maps, view.mirrored, strict=True)]
        for found, flip in zip(network.boxes(features), view.mirrored, strict=True):
            upright = _mirrored(found["boxes"], view.size[1], flip)
            boxes.append({**found, "boxes": _scaled(upright, view.size, view.image_size)})
    joined = _joined(boxes)
    objects = _chosen(joined, merge(joined))
    masks = _mean_masks(network, encoded, objects)
    image_size = encoded[0][0].image_size
    pasted = paste_detections(objects, masks, image_size, size)
    return _mean_probabilities(logits, size), pasted


def _mean_masks(
    network: ViewSteps, encoded: Sequence[tuple[View, Any]], objects: ScoredBoxes
) -> Tensor:
    """(N, M, M): the mean of the masks that the views see in the boxes of the objects."""
    masks: list[Tensor] = []
    for view, features in encoded:
        boxes = _scaled(objects["boxes"], view.image_size, view.size)
        found = network.mask_probabilities(
            features,
            [_mirrored(boxes, view.size[1], flip) for flip in view.mirrored],
            [objects["classes"]] * len(view.mirrored),
        )
        masks += [_upright(*pair) for pair in zip(found, view.mirrored, strict=True)]
    return torch.stack(masks).mean(dim=0)


def _mean_probabilities(logits: Iterable[Tensor], size: tuple[int, int]) -> Tensor:
    """(C, *size) float32: the mean of the probabilities of (C, h, w) logits."""
    total, number = torch.zeros(()), 0
    for one in logits:
        probabilities = resize_logits(one[None], size)[0].softmax(dim=0)
        total = probabilities if number == 0 else total.add_(probabilities)
        number += 1
    return total.div_(number)


def _joined(found: Sequence[ScoredBoxes | Detections]) -> ScoredBoxes:
    return ScoredBoxes(
        boxes=torch.cat([one["boxes"] for one in found]),
        classes=torch.cat([one["classes"] for one in found]),
        scores=torch.cat([one["scores"] for one in found]),
    )


def _chosen(found: ScoredBoxes, kept: Tensor) -> ScoredBoxes:
    return ScoredBoxes(
        boxes=found["boxes"][kept], classes=found["classes"][kept], scores=found["scores"][kept]
    )


def _upright(values: Tensor, mirrored: bool) -> Tensor:
    return values.flip(-1) if mirrored else values


def _scaled(boxes: Tensor, size: tuple[int, int], new_size: tuple[int, int]) -> Tensor:
    """(N, 4) boxes in an image of `size` -> the same in one of `new_size`."""
    along_x, along_y = new_size[1] / size[1], new_size[0] / size[0]
    return boxes * boxes.new_tensor((along_x, along_y, along_x, along_y))


def _mirrored(boxes: Tensor, width_px: int, flip: bool) -> Tensor:
    """(N, 4) boxes in an image -> the same in its mirror image, where it is to be one."""
    if not flip:
        return boxes
    left, top, right, bottom = boxes.unbind(dim=1)
    return torch.stack((width_px - right, top, width_px - left, bottom), dim=1)
