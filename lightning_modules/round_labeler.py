"""Labels of the next round of self-training: what a detector is sure of, and old labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from lightning_modules.segmenter_labeler import SegmenterLabeler
from relief.formats.files.digest import content_digests
from relief.formats.label_store import LabelStore
from relief.ops.mask_training.label_rounds import merge
from relief.schema.manifest import Manifest, ManifestInputs
from relief.schema.observation import LabelRecord
from relief.schema.training import Segmenter

_OBJECT, _VOID = 0, -1


class RoundLabeler(SegmenterLabeler):
    """Takes a class-agnostic detector's sure objects, and the old ones that it does not repeat.

    Objects of the new labels do not overlap: a surer one keeps the pixels, old ones come last.
    New objects are as sure as the detector is, old ones as their labels were.

    Args:
        parent: The label store of the round before, of the same images.
        keep_score: Least score of a detection that becomes a label.
        most_objects: At most so many detections of an image.
        **kwargs: As `SegmenterLabeler`.
    """

    def __init__(
        self, parent: Path, keep_score: float = 0.7, most_objects: int = 30, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.tells_confidence = True
        self.parent, self.keep_score, self.most_objects = parent, keep_score, most_objects
        self._store: LabelStore | None = None

    @property
    def old(self) -> LabelStore:
        """The labels of the round before.

        Raises:
            UsageError: There are none.
        """
        if self._store is None:
            self._store = LabelStore(self.parent)
        return self._store

    def manifest(self, inputs: ManifestInputs) -> Manifest:
        """Makes the manifest; it names the labels of the round before by their digest."""
        manifest = super().manifest(inputs)
        told = self.old.manifest
        digests = content_digests({"labels/parent": self.parent / "panoptic.json"})
        return dataclasses.replace(
            manifest,
            weights={**manifest.weights, **digests},
            supervision=tuple(dict.fromkeys((*manifest.supervision, *told.supervision))),
            notes=tuple(dict.fromkeys((*manifest.notes, *told.notes))),
        )

    def label_by_key(
        self, key: str, image: Tensor, depth: Tensor | None, wanted: Collection[str] = ()
    ) -> LabelRecord:
        """Labels one image.

        Raises:
            ReadError: The old labels of the image cannot be read, or the network refuses it.
        """
        del depth, wanted
        size = (image.shape[-2], image.shape[-1])
        found = self.predictor.see(cast(Segmenter, self.network), image[None], size)
        detections = found["detections"][0]
        new, scores = detections["masks"][: self.most_objects], detections["scores"]
        scores = scores[: self.most_objects].float()
        instance = self.old.panoptic(key)[..., 1].to(new.device)
        sure = self.old.confidence(key)
        sure = torch.ones(size) if sure is None else sure
        ids = torch.arange(1, int(instance.max()) + 1, device=new.device)
        old = instance[None] == ids[:, None, None]
        kept_new, kept_old = merge(old, new, scores, self.keep_score)
        return _painted(new[kept_new], scores[kept_new], old[kept_old], sure.to(new.device))


def _painted(new: Tensor, scores: Tensor, old: Tensor, old_confidence: Tensor) -> LabelRecord:
    """Paints new objects by falling score, then old ones, each where nothing is yet."""
    instance = torch.zeros(old_confidence.shape, dtype=torch.int64, device=new.device)
    confidence = torch.zeros_like(instance, dtype=torch.float32)
    told: dict[int, float] = {}
    sure = [*(score.expand_as(confidence) for score in scores), *(old_confidence for _ in old)]
    for mask, values in zip([*new, *old], sure, strict=True):
        free = mask & (instance == 0)
        if not free.any():
            continue
        number = len(told) + 1
        instance[free], confidence[free] = number, values[free]
        told[number] = float(values[free].mean())
    semantic = torch.where(instance > 0, _OBJECT, _VOID)
    return LabelRecord(
        semantic=semantic,
        panoptic=torch.stack((semantic, instance), dim=-1),
        confidence=confidence,
        scores=told,
    )
