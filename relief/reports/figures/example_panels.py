"""The row of pictures of one example image: from the photograph to its panoptic labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from relief.ops.depth_edges import gradient_magnitude
from relief.ops.resize import resize_image, resize_nearest
from relief.ops.splitting.depth_sharpening import ToggleSharpening
from relief.reports.figures.overlay import (
    Picture,
    as_picture,
    paint_depth,
    paint_edges,
    paint_features,
    paint_ids,
    paint_instances,
    paint_panoptic,
)
from relief.reports.figures.pictures import fit_within, resized
from relief.schema.geometry import scaled_size
from relief.schema.label_spaces import VOID, LabelSpace

_LONGEST_PX = 640


@dataclass(frozen=True)
class ReportSources:
    """Look-ups of an image by its key; the store gives the labels.

    Attributes:
        image: (3, H, W) uint8.
        depth: (1, h, w) float32 in [0, 1], or `None` where an image has none.
        features: (C, h, w) float32; asked for the example images only.
        confidence: (H, W) in [0, 1], or `None` where nobody said how sure the labels are.
        target: (H, W, 2) int64 ground truth in class ids, or `None` where there is none.
    """

    image: Callable[[str], Tensor]
    depth: Callable[[str], Tensor | None] | None = None
    features: Callable[[str], Tensor | None] | None = None
    target: Callable[[str], Tensor | None] | None = None
    confidence: Callable[[str], Tensor | None] | None = None

    def target_of(self, key: str) -> Tensor | None:
        """The ground truth of an image, where there is some."""
        return self.target(key) if self.target else None


@dataclass(frozen=True)
class DepthEdges:
    """How depth was cut, to show the same edges.

    Attributes:
        gradient_threshold: Edges are above it.
        sigma: Of the smoothing before.
        short_side_px: Of the map on which splitting runs.
        sharpening: Of the depth before it is smoothed.
        min_area_px: Parts below it are no objects.
        dilation_px: How far parts take pixels back.
    """

    gradient_threshold: float
    sigma: float = 1.0
    short_side_px: int = 512
    sharpening: ToggleSharpening | None = None
    min_area_px: int = 0
    dilation_px: int = 0


@dataclass(frozen=True)
class Panel:
    """One picture of the row.

    Attributes:
        name: What it shows.
        hint: A few words more.
        picture: (H, W, 3) uint8.
    """

    name: str
    hint: str
    picture: Picture


@dataclass(frozen=True)
class PanelPainter:
    """Paints examples; the colours mean the same in all of them.

    Attributes:
        palette: Colours by category, `relief.reports.figures.overlay.palette_of`.
        is_thing: (K,) bool.
        edges: How depth was cut; `None` where it was not.
        groups: (K,) int64 what is split together, -1 = no thing; `None` shows no regions.
        feature_axes: Mean and axes of `principal_axes` over the examples.
        space: The classes of the ground truth.
        class_palette: Colours by class.
        class_of_category: A matching from ground truth, to show labels in class colours.
        ids_name: What the ids are, `Clusters` or `Classes`.
    """

    palette: Picture
    is_thing: Tensor
    edges: DepthEdges | None = None
    groups: Tensor | None = None
    feature_axes: tuple[Tensor, Tensor] | None = None
    space: LabelSpace | None = None
    class_palette: Picture | None = None
    class_of_category: Sequence[int] | None = None
    ids_name: str = "Clusters"

    def panels(
        self,
        image: Tensor,
        semantic: Tensor,
        panoptic: Tensor,
        *,
        features: Tensor | None = None,
        depth: Tensor | None = None,
        target: Tensor | None = None,
    ) -> list[Panel]:
        """The pictures of one image, in the order of the pipeline.

        Args:
            image: (3, H, W) uint8.
            semantic: (H, W) int64.
            panoptic: (H, W, 2) int64.
            features: (C, h, w).
            depth: (1, h, w).
            target: (H, W, 2) int64 in class ids.
        """
        height, width = fit_within((image.shape[1], image.shape[2]), _LONGEST_PX)
        size = (height, width)
        photo = as_picture(resize_image(image[None], size)[0])
        small = _resize_pairs(panoptic, size)
        panels = [Panel("Input", f"{image.shape[2]} × {image.shape[1]} px", photo)]
        if features is not None and self.feature_axes is not None:
            painted = paint_features(features, *self.feature_axes)
            panels.append(
                Panel("Features", "first three principal components", resized(painted, size))
            )
        clusters = paint_ids(resize_nearest(semantic, size), self.palette)
        panels.append(Panel(self.ids_name, "before splitting", clusters))
        if self.groups is not None:
            panels.append(self._regions_panel(resize_nearest(semantic, size), photo))
        if depth is not None:
            panels += self._depth_panels(depth, image, size)
        instances = paint_instances(small, self.is_thing, photo)
        panels.append(Panel("Instances", "reddish: thing pixels without one", instances))
        painted = paint_panoptic(small, self.palette, photo)
        panels.append(Panel("Panoptic", "each instance outlined", painted))
        if target is not None and self.class_palette is not None:
            panels += self._truth_panels(target, small, photo)
        return panels

    def _regions_panel(self, semantic: Tensor, photo: Picture) -> Panel:
        """Thing regions before they are cut, one colour for what is split together."""
        groups = cast(Tensor, self.groups)
        region = torch.where(semantic >= 0, groups[semantic.clamp(min=0)], semantic) + 1
        number = int(groups.max()) + 1 if len(groups) else 0
        words = "one region of all things" if number == 1 else f"{number} groups"
        pairs = torch.stack((semantic, region), dim=-1)
        return Panel("Thing regions", words, paint_instances(pairs, self.is_thing, photo))

    def _depth_panels(self, depth: Tensor, image: Tensor, size: tuple[int, int]) -> list[Panel]:
        shown = F.interpolate(depth[None], size, mode="bilinear", align_corners=False)[0]
        panels = [Panel("Depth", "bright is near", paint_depth(shown))]
        if self.edges is not None:
            where = scaled_size((image.shape[1], image.shape[2]), self.edges.short_side_px)
            split = F.interpolate(depth[None], where, mode="bilinear", align_corners=False)
            sharpening = self.edges.sharpening
            sharp = split if sharpening is None else sharpening(split)
            magnitude = gradient_magnitude(sharp, self.edges.sigma)[0]
            painted = paint_edges(magnitude, self.edges.gradient_threshold)
            hint = f"gradient above {self.edges.gradient_threshold:g} in orange"
            panels.append(Panel("Depth edges", hint, resized(painted, size)))
        return panels

    def _truth_panels(self, target: Tensor, panoptic: Tensor, photo: Picture) -> list[Panel]:
        if self.class_palette is None:
            return []
        panels = []
        if self.class_of_category is not None:
            lookup = torch.tensor([*self.class_of_category, VOID])
            as_classes = torch.stack((lookup[panoptic[..., 0]], panoptic[..., 1]), dim=-1)
            painted = paint_panoptic(as_classes, self.class_palette, photo)
            panels.append(Panel("As classes", "matched by ground truth, to read only", painted))
        truth = _resize_pairs(target, photo.shape[:2])
        painted = paint_panoptic(truth, self.class_palette, photo)
        return [*panels, Panel("Ground truth", "for comparison", painted)]


def _resize_pairs(panoptic: Tensor, size: tuple[int, ...]) -> Tensor:
    height, width = size
    return resize_nearest(panoptic.permute(2, 0, 1), (height, width)).permute(1, 2, 0)
