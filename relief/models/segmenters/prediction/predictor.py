"""A trained network's panoptic map of an image, at the size that is asked for."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from relief.models.segmenters.prediction.size import not_finite
from relief.models.segmenters.prediction.test_time_augmentation import TestTimeAugmentation
from relief.ops.objects.panoptic_merge import MergeLimits, instance_scores, merge_panoptic
from relief.ops.objects.region_merge import merge_regions, require_things_apart
from relief.ops.resize import resize_image
from relief.schema.geometry import scaled_size
from relief.schema.observation import LabelRecord
from relief.schema.training import (
    Detections,
    DetectorClasses,
    Segmenter,
    SegmenterPrediction,
)


@dataclass(frozen=True, kw_only=True)
class PanopticPredictor(MergeLimits):
    """How a detector's outputs become one map: the published numbers.

    Attributes:
        short_side_px: The network sees the image with this short side; `None`: as it is.
        score_threshold: Detections with a lower score are left out.
        overlap_threshold: ... and those of which more than this share is already painted.
        stuff_area_px: Stuff with fewer pixels is left void; meant at 1024x2048.
        things_from_regions: Objects are the thing regions of the semantic head, which detections
            only part (`relief.ops.objects.region_merge`); asks for classes with things apart.
            `False`: objects are the detections, as published.
        unfound_as_stuff: Pixels of things that no object takes are the likeliest stuff; asks for
            classes with things apart. `False`: they have no object, as published.
        views: What the network sees of an image instead of the image alone; `short_side_px` is
            that of their scale 1 unless they say their own.
    """

    short_side_px: int | None = None
    things_from_regions: bool = False
    unfound_as_stuff: bool = False
    views: TestTimeAugmentation | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """All numbers and switches by name; the views stay with whoever asks for them."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "views"}

    def check(self, classes: DetectorClasses) -> None:
        """Refuses classes that a map cannot be made of, before any work.

        Raises:
            UsageError: Regions of things are asked for, and things are not told apart.
        """
        if self.things_from_regions or self.unfound_as_stuff:
            require_things_apart(classes)

    def __call__(
        self, network: Segmenter, classes: DetectorClasses, image: Tensor, size: tuple[int, int]
    ) -> Tensor:
        """Panoptic maps of images of one size.

        Args:
            network: Trained.
            classes: The classes it was trained for.
            image: (B, 3, H, W) float32 in [0, 1].
            size: (height, width) of the maps.

        Returns:
            (B, *size, 2) int64 (category id of the labels, instance).

        Raises:
            ReadError: What the network says of an image is not finite.
        """
        found = self.see(network, image, size)
        pairs = zip(found["semantic_logits"], found["detections"], strict=True)
        return torch.stack([self._panoptic(*pair, classes) for pair in pairs])

    def record(self, network: Segmenter, classes: DetectorClasses, image: Tensor) -> LabelRecord:
        """Labels one image and says how sure the network is.

        Confidence is the score of the detection in objects, the probability of the class elsewhere,
        0 where the map is void.

        Args:
            network: Trained.
            classes: The classes it was trained for.
            image: (3, H, W) float32 in [0, 1].

        Raises:
            ReadError: What the network says of the image is not finite.
        """
        found = self.see(network, image[None], (image.shape[-2], image.shape[-1]))
        logits, detections = found["semantic_logits"][0], found["detections"][0]
        panoptic = self._panoptic(logits, detections, classes)
        scores = instance_scores(panoptic[..., 1], detections)
        sure = torch.cat((scores.new_zeros(1), scores))[panoptic[..., 1]]
        elsewhere = logits.softmax(dim=0).amax(dim=0).where(panoptic[..., 0] >= 0, 0)
        return LabelRecord(
            semantic=panoptic[..., 0],
            panoptic=panoptic,
            confidence=torch.where(panoptic[..., 1] > 0, sure, elsewhere),
            scores=dict(enumerate(scores.tolist(), start=1)),
        )

    def _panoptic(self, logits: Tensor, detections: Detections, classes: DetectorClasses) -> Tensor:
        """`merge` from logits (1 + regions, H, W), and stuff where no object was found."""
        semantic = logits.argmax(dim=0)
        panoptic = self.merge(semantic, detections, classes)
        if self.unfound_as_stuff and classes.num_stuff:
            unfound = (semantic > classes.num_stuff) & (panoptic[..., 1] == 0)
            stuff = logits[1 : 1 + classes.num_stuff].argmax(dim=0) + 1
            category = classes.category_of_region().to(stuff.device)[stuff]
            panoptic[..., 0] = torch.where(unfound, category, panoptic[..., 0])
        return panoptic

    def merge(self, semantic: Tensor, detections: Detections, classes: DetectorClasses) -> Tensor:
        """One map of what was seen of one image.

        Args:
            semantic: (H, W) int64 classes of the semantic head.
            detections: Objects of the image.
            classes: The classes the network was trained for.

        Returns:
            (H, W, 2) int64 (category id of the labels, instance).
        """
        rule = merge_regions if self.things_from_regions else merge_panoptic
        return rule(semantic, detections, classes, self)

    def see(self, network: Segmenter, image: Tensor, size: tuple[int, int]) -> SegmenterPrediction:
        """Looks at images in the sizes and views of this predictor; as `__call__` before merging.

        Raises:
            ReadError: What the network says of an image is not finite.
        """
        found = self._look(network, image, size)
        refuse_not_finite(found)
        return found

    def _look(
        self, network: Segmenter, image: Tensor, size: tuple[int, int]
    ) -> SegmenterPrediction:
        if self.views is not None:
            short_side_px = self.views.short_side_px or self.short_side_px
            views = replace(self.views, short_side_px=short_side_px)
            return views(network, image, size)
        if self.short_side_px is not None:
            own_size = (image.shape[-2], image.shape[-1])
            image = resize_image(image, scaled_size(own_size, self.short_side_px))
        return network.predict(image, size)


def refuse_not_finite(prediction: SegmenterPrediction) -> None:
    """Refuses what would make a map of nothing but void or one class.

    Raises:
        ReadError: A largest logit, a box or a score is NaN or infinite.
    """
    said = [prediction["semantic_logits"].amax(dim=1)]  # of others -inf is an answer too
    for found in prediction["detections"]:
        said += [found["boxes"], found["scores"]]
    if not all(bool(torch.isfinite(values).all()) for values in said):
        raise not_finite()
