"""Images to panoptic pseudo-labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from lightning_modules.labeler import Labeler, provenance
from relief.models.cluster_segmentation import segment
from relief.models.codebook import Codebook
from relief.ops.panoptic_map import compose_panoptic, resize_depth
from relief.ops.resize import resize_nearest
from relief.schema.geometry import WindowGeometry, scaled_size
from relief.schema.manifest import Manifest
from relief.schema.parts import Backbone, DepthModel, Splitter


class PseudoLabeler(Labeler):
    """Features, codebook, depth and splitter in one `predict_step`.

    Args:
        backbone: An `nn.Module` that fits `Backbone`.
        codebook: Empty at first; loaded or fitted before labels are predicted.
        splitter: Thing regions to instances.
        depth: A depth network, or `None` when depth comes with the batch or is not needed.
        geometry: The size the backbone sees, and its windows.
        split_short_side_px: The size at which splitting runs; areas and tau mean pixels there.
    """

    def __init__(
        self,
        backbone: nn.Module,
        codebook: Codebook,
        splitter: Splitter,
        depth: nn.Module | None = None,
        geometry: WindowGeometry = WindowGeometry(),  # noqa: B008  # frozen
        split_short_side_px: int = 512,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.codebook = codebook
        self.splitter = splitter
        self.depth = depth
        self.geometry = geometry
        self.split_short_side_px = split_short_side_px

    def networks(self) -> Mapping[str, nn.Module]:
        """The backbone, and the depth network if there is one."""
        return {"backbone": self.backbone, **({"depth": self.depth} if self.depth else {})}

    def manifest(self, parts: Mapping[str, Any], keys: Sequence[str]) -> Manifest:
        """What determines the labels; things and groups once the codebook knows them."""
        hashes, supervision, notes = provenance(self.networks())
        codebook = self.codebook
        classes = codebook.metadata.get("classes")
        known = codebook.is_fitted
        return Manifest(
            k=codebook.wanted_k,
            label_space="oracle_classes" if classes else "clusters",
            classes=classes,
            parts=parts,
            weights=hashes,
            thing_ids=tuple(codebook.thing_categories.nonzero()[:, 0].tolist()) if known else None,
            groups=tuple(codebook.category_groups.tolist()) if known else None,
            supervision=(*supervision, *codebook.metadata.get("supervision", ())),
            notes=tuple(notes),
            images=dict.fromkeys(keys, "pending"),
        )

    def label(self, image: Tensor, depth: Tensor | None) -> tuple[Tensor, Tensor]:
        """Labels one image.

        Args:
            image: (3, H, W) float32 in [0, 1].
            depth: (1, 1, h, w) float32 in [0, 1] or `None`.

        Returns:
            Semantic map (H, W) and panoptic map (H, W, 2), int64, at the image's own size.
        """
        own_size = (image.shape[-2], image.shape[-1])
        semantic = segment(cast(Backbone, self.backbone), self.codebook, image, self.geometry)
        size = scaled_size(own_size, self.split_short_side_px)
        small = resize_nearest(semantic[None], size)
        instance = self.split(small, self._depth_at(image, depth, size))
        panoptic = compose_panoptic(small[0], instance[0], self.codebook.num_categories)
        enlarged = resize_nearest(panoptic.permute(2, 0, 1), own_size).permute(1, 2, 0)
        return semantic, enlarged

    def split(self, semantic: Tensor, depth: Tensor | None) -> Tensor:
        """Instances (B, H, W) of a semantic map (B, H, W): clusters of one group split as one."""
        groups = self.codebook.category_groups
        region = torch.where(semantic >= 0, groups[semantic.clamp(min=0)], semantic)
        is_thing = torch.ones(int(groups.max()) + 1, dtype=torch.bool, device=semantic.device)
        return self.splitter(region, depth, is_thing)

    def _depth_at(
        self, image: Tensor, depth: Tensor | None, size: tuple[int, int]
    ) -> Tensor | None:
        if self.depth is not None:
            return cast(DepthModel, self.depth).relative_depth(image[None], size)
        return None if depth is None else resize_depth(depth, size)
