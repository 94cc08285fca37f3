"""One prediction from several views of an image: resized ones, and their mirror images.

Boxes are merged over the views, masks and semantic probabilities averaged, as in Hahn et al.,
"Scene-Centric Unsupervised Panoptic Segmentation", 2025. The published code resizes padded maps to
the size of the image, which stretches images whose sides are not divisible by 32; here what was
padded is cut off first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torchvision.ops import batched_nms

from relief.models.segmenters.prediction_size import paste_detections, resize_logits
from relief.ops.resize import resize_image
from relief.schema.geometry import scaled_size
from relief.schema.training import Detections, ScoredBoxes, SegmenterPrediction, ViewSegmenter


@dataclass(frozen=True)
class EncodedViews:
    """Views of one image and of one size, after the backbone.

    Attributes:
        features: Of the views, for the network's other steps.
        size: (height, width) of the views.
        mirrored: Which of them are.
    """

    features: Any
    size: tuple[int, int]
    mirrored: tuple[bool, ...]


@dataclass(frozen=True)
class TestTimeAugmentation:
    """Predicts as a segmenter does, from all views together; the numbers are the published ones.

    Attributes:
        scales: Sizes of the views, relative to the one that `short_side_px` says.
        flip: Whether each of them is seen mirrored, too.
        short_side_px: Short side at scale 1; `None`: the image's own.
        suppression_iou: Boxes of a class that overlap by more are one object.
        score_threshold: Least score of an object, in the view that saw it best. Below the score
            that the network was built with there is nothing to be had.
        detections_per_image: At most so many are kept.
        views_per_batch: Views of one size that the network sees at once.
    """

    scales: tuple[float, ...] = (0.5, 0.75, 1.0)
    flip: bool = True
    short_side_px: int | None = None
    suppression_iou: float = 0.5
    score_threshold: float = 0.7
    detections_per_image: int = 100
    views_per_batch: int = 2

    @torch.no_grad()
    def __call__(
        self, network: ViewSegmenter, image: Tensor, size: tuple[int, int] | None = None
    ) -> SegmenterPrediction:
        """Stuff and objects of images of one size, one image after the other.

        Args:
            network: Trained; its mode is left as it is found.
            image: (B, 3, H, W) float32 in [0, 1], on the network's device.
            size: (height, width) of masks and logits; the image's unless given.

        Returns:
            As `Segmenter.predict`; `semantic_logits` are the logarithm of the mean probabilities,
            so that their softmax is this mean.
        """
        own_size = (image.shape[-2], image.shape[-1])
        size = size or own_size
        semantic, detections = [], []
        for one in image:
            views = list(self._views(network, one[None]))
            semantic.append(_mean_probabilities(network, views, size))
            found = self._merged_boxes(network, views, own_size)
            detections.append(_with_masks(network, views, found, own_size, size))
        probabilities = torch.stack(semantic).clamp_min_(torch.finfo(torch.float32).tiny)
        return SegmenterPrediction(semantic_logits=probabilities.log_(), detections=detections)

    def _views(self, network: ViewSegmenter, image: Tensor) -> Iterator[EncodedViews]:
        own_size = (image.shape[-2], image.shape[-1])
        short_side_px = self.short_side_px or min(own_size)
        mirrored = (False, True) if self.flip else (False,)
        for scale in self.scales:
            size = scaled_size(own_size, max(1, round(short_side_px * scale)))
            view = resize_image(image, size)
            for start in range(0, len(mirrored), self.views_per_batch):
                flips = mirrored[start : start + self.views_per_batch]
                batch = torch.cat([view.flip(-1) if flip else view for flip in flips])
                yield EncodedViews(network.encode(batch), size, flips)

    def _merged_boxes(
        self, network: ViewSegmenter, views: list[EncodedViews], own_size: tuple[int, int]
    ) -> ScoredBoxes:
        """The objects of all views, in px of the image, each once."""
        boxes, scores, classes = [], [], []
        for batch in views:
            for found, flip in zip(network.boxes(batch.features), batch.mirrored, strict=True):
                sure = found["scores"] >= self.score_threshold
                upright = _mirrored(found["boxes"][sure], batch.size[1], flip)
                boxes.append(_scaled(upright, batch.size, own_size))
                scores.append(found["scores"][sure])
                classes.append(found["classes"][sure])
        box, score, thing_class = torch.cat(boxes), torch.cat(scores), torch.cat(classes)
        kept = batched_nms(box, score, thing_class, self.suppression_iou)
        kept = kept[: self.detections_per_image]
        return ScoredBoxes(boxes=box[kept], classes=thing_class[kept], scores=score[kept])


def _mean_probabilities(
    network: ViewSegmenter, views: list[EncodedViews], size: tuple[int, int]
) -> Tensor:
    """(C, *size) float32: mean over the views of the semantic probabilities."""
    total, number = torch.zeros(()), 0
    for batch in views:
        logits = network.semantic_logits(batch.features)
        for one, flip in zip(logits, batch.mirrored, strict=True):
            upright = one.flip(-1) if flip else one
            probabilities = resize_logits(upright[None], size)[0].softmax(dim=0)
            total = probabilities if number == 0 else total.add_(probabilities)
            number += 1
    return total.div_(number)


def _with_masks(
    network: ViewSegmenter,
    views: list[EncodedViews],
    found: ScoredBoxes,
    own_size: tuple[int, int],
    size: tuple[int, int],
) -> Detections:
    """The objects with the mean of the masks that the views see in their boxes."""
    masks = []
    for batch in views:
        boxes = _scaled(found["boxes"], own_size, batch.size)
        seen = network.mask_probabilities(
            batch.features,
            [_mirrored(boxes, batch.size[1], flip) for flip in batch.mirrored],
            [found["classes"]] * len(batch.mirrored),
        )
        pairs = zip(seen, batch.mirrored, strict=True)
        masks += [mask.flip(-1) if flip else mask for mask, flip in pairs]
    return paste_detections(found, torch.stack(masks).mean(dim=0), own_size, size)


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
