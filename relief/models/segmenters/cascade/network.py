"""How detectron2's parts and ours make one network."""

from __future__ import annotations

from typing import NamedTuple, cast

from torch import Tensor, nn

from relief.models.segmenters.cascade.detectron2_parts import (
    RPN,
    Backbone,
    CfgNode,
    GeneralizedRCNN,
    ImageList,
    PanopticFPN,
)
from relief.models.segmenters.cascade.heads import DropLossCascade, FloatRPNHead
from relief.models.segmenters.cascade.semantic_head import SemanticHead

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
PYRAMID = ("p2", "p3", "p4", "p5")


class CascadeFeatures(NamedTuple):
    """Images and their pyramid, in the order in which the proposal network takes them."""

    images: ImageList  # normalised and padded; with the sizes before that
    levels: dict[str, Tensor]  # (B, C, h, w) by name, p2..p6


def build_cascade(
    config: CfgNode, backbone: nn.Module, *, has_stuff: bool = True
) -> PanopticFPN | GeneralizedRCNN:
    """Makes the network over a detectron2 backbone with maps p2..p6; weights are drawn.

    Args:
        config: The numbers of its parts.
        backbone: Maps p2..p6.
        has_stuff: Whether there is a semantic head.
    """
    shapes = cast(Backbone, backbone).output_shape()
    proposal_parts = RPN.from_config(config, shapes)
    proposal_parts["head"] = FloatRPNHead(
        config, [shapes[name] for name in config.MODEL.RPN.IN_FEATURES]
    )
    parts = {
        "backbone": backbone,
        "proposal_generator": RPN(**proposal_parts),
        "roi_heads": DropLossCascade(config, shapes),
        "pixel_mean": IMAGENET_MEAN,
        "pixel_std": IMAGENET_STD,
    }
    if not has_stuff:
        return GeneralizedRCNN(**parts)
    return PanopticFPN(**parts, sem_seg_head=SemanticHead(config, shapes))
