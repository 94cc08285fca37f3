"""One prediction from several views of an image: resized ones, and their mirror images.

Boxes are merged over the views, masks and semantic probabilities averaged, as in Hahn et al.,
"Scene-Centric Unsupervised Panoptic Segmentation", 2025. The published code resizes padded maps to
the size of the image, which stretches images whose sides are not divisible by 32; here what was
padded is cut off first. A network that does not predict in steps is asked for whole predictions:
a mask is then the one of the view that saw its object best.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import batched_nms

from relief.models.segmenters.prediction.view_merging import View, merge_predictions, merge_steps
from relief.ops.resize import resize_image
from relief.schema.geometry import scaled_size
from relief.schema.training import ScoredBoxes, Segmenter, SegmenterPrediction, ViewSteps


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
        self, network: Segmenter | ViewSteps, image: Tensor, size: tuple[int, int] | None = None
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
        size = size or (image.shape[-2], image.shape[-1])
        semantic, detections = [], []
        for one in image:
            views = self._views(one[None])
            if isinstance(network, ViewSteps):
                mean, objects = merge_steps(network, views, size, self._merged)
            else:
                mean, objects = merge_predictions(network, views, size, self._merged)
            semantic.append(mean)
            detections.append(objects)
        probabilities = torch.stack(semantic).clamp_min_(torch.finfo(torch.float32).tiny)
        return SegmenterPrediction(semantic_logits=probabilities.log_(), detections=detections)

    def _views(self, image: Tensor) -> Iterator[View]:
        own_size = (image.shape[-2], image.shape[-1])
        short_side_px = self.short_side_px or min(own_size)
        mirrored = (False, True) if self.flip else (False,)
        for scale in self.scales:
            size = scaled_size(own_size, max(1, round(short_side_px * scale)))
            view = resize_image(image, size)
            for start in range(0, len(mirrored), self.views_per_batch):
                flips = mirrored[start : start + self.views_per_batch]
                batch = torch.cat([view.flip(-1) if flip else view for flip in flips])
                yield View(batch, flips, own_size)

    def _merged(self, found: ScoredBoxes) -> Tensor:
        """(M,) int64: which of the boxes of all views stay, each object once, by falling score."""
        (sure,) = torch.where(found["scores"] >= self.score_threshold)
        kept = batched_nms(
            found["boxes"][sure], found["scores"][sure], found["classes"][sure],
            self.suppression_iou,
        )  # fmt: skip
        return sure[kept[: self.detections_per_image]]
