"""The one module that imports detectron2: another build of it is dropped in here.

Only what the segmenters use is named. `model_zoo`, the registries, `_C` and the checkpointer are
not: they need packages or binaries that this environment does not have, or unpickle files.
"""

from __future__ import annotations

from detectron2.config import CfgNode, get_cfg
from detectron2.layers import Conv2d, ShapeSpec, get_norm
from detectron2.modeling.backbone import FPN, Backbone, BasicStem, ResNet
from detectron2.modeling.backbone.fpn import LastLevelMaxPool, build_resnet_fpn_backbone
from detectron2.modeling.backbone.resnet import BasicBlock
from detectron2.modeling.backbone.vit import SimpleFeaturePyramid
from detectron2.modeling.meta_arch.panoptic_fpn import PanopticFPN
from detectron2.modeling.meta_arch.rcnn import GeneralizedRCNN
from detectron2.modeling.meta_arch.semantic_seg import SemSegFPNHead
from detectron2.modeling.poolers import ROIPooler
from detectron2.modeling.proposal_generator.rpn import RPN, StandardRPNHead
from detectron2.modeling.roi_heads.cascade_rcnn import CascadeROIHeads
from detectron2.modeling.roi_heads.fast_rcnn import FastRCNNOutputLayers
from detectron2.modeling.roi_heads.roi_heads import select_foreground_proposals
from detectron2.projects.deeplab import DeepLabV3PlusHead
from detectron2.structures import (
    BitMasks,
    Boxes,
    ImageList,
    Instances,
)
from detectron2.utils.events import EventStorage

__all__ = [
    "FPN",
    "RPN",
    "Backbone",
    "BasicBlock",
    "BasicStem",
    "BitMasks",
    "Boxes",
    "CascadeROIHeads",
    "CfgNode",
    "Conv2d",
    "DeepLabV3PlusHead",
    "EventStorage",
    "FastRCNNOutputLayers",
    "GeneralizedRCNN",
    "ImageList",
    "Instances",
    "LastLevelMaxPool",
    "PanopticFPN",
    "ROIPooler",
    "ResNet",
    "SemSegFPNHead",
    "ShapeSpec",
    "SimpleFeaturePyramid",
    "StandardRPNHead",
    "build_resnet_fpn_backbone",
    "get_cfg",
    "get_norm",
    "select_foreground_proposals",
]
