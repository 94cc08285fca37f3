"""Labels that were made before, for labellers that go on from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path

from torch import Tensor, nn

from lightning_modules.labeler import Labeler
from relief.formats.files.digest import content_digests
from relief.formats.label_store import LabelStore
from relief.ops.resize import resize_nearest
from relief.schema.manifest import Manifest, ManifestInputs
from relief.schema.observation import LabelRecord


class StoredLabels(Labeler):
    """Labels images as a label store does.

    Args:
        labels: The store, of the same images.
    """

    def __init__(self, labels: Path) -> None:
        super().__init__()
        self.labels = labels

    @cached_property
    def store(self) -> LabelStore:
        """The labels; raises `UsageError` where there are none."""
        return LabelStore(self.labels)

    def networks(self) -> Mapping[str, nn.Module]:
        """Nothing that has weights."""
        return {}

    def manifest(self, inputs: ManifestInputs) -> Manifest:
        """Makes the manifest: that of the store, named by its digest."""
        return dataclasses.replace(
            self.store.manifest,
            parts=inputs.parts,
            weights=content_digests({"labels": self.labels / "panoptic.json"}),
            codebook=None,
            confidence=None,
            images=dict.fromkeys(inputs.keys, "pending"),
            inputs={},
            failures={},
        )

    def label_by_key(
        self, key: str, image: Tensor, depth: Tensor | None, wanted: Collection[str] = ()
    ) -> LabelRecord:
        """Reads the labels of one image; raises `ReadError`."""
        del depth, wanted
        size = (image.shape[-2], image.shape[-1])
        semantic = self.store.semantic(key).to(image.device)
        panoptic = self.store.panoptic(key).to(image.device).permute(2, 0, 1)
        return LabelRecord(
            semantic=resize_nearest(semantic, size),
            panoptic=resize_nearest(panoptic, size).permute(1, 2, 0),
        )
