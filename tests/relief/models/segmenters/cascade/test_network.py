import torch

from relief.models.segmenters.cascade.detectron2_parts import get_cfg
from relief.models.segmenters.cascade.heads import DropLossCascade, FloatRPNHead
from relief.models.segmenters.cascade.network import PYRAMID, build_cascade
from relief.models.segmenters.cascade.semantic_head import SemanticHead
from relief.models.segmenters.resnet_pyramid import SmallResNetPyramid


def test_our_heads_are_on_the_backbone_and_images_are_normalised():
    config = get_cfg()
    config.MODEL.ANCHOR_GENERATOR.SIZES = [[8], [16], [32], [64], [96]]
    config.MODEL.RPN.IN_FEATURES = [*PYRAMID, "p6"]
    config.MODEL.ROI_HEADS.IN_FEATURES = list(PYRAMID)
    config.MODEL.ROI_BOX_HEAD.NAME = "FastRCNNConvFCHead"
    config.MODEL.ROI_BOX_HEAD.NUM_FC = 1
    config.MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG = True
    backbone = SmallResNetPyramid(widths=(32, 32, 32, 32), width=32)
    network = build_cascade(config, backbone)
    assert network.backbone is backbone
    assert type(network.proposal_generator.rpn_head) is FloatRPNHead
    assert type(network.roi_heads) is DropLossCascade
    assert type(network.sem_seg_head) is SemanticHead
    image = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1).expand(3, 33, 64)
    images = network.preprocess_image([{"image": image}])
    torch.testing.assert_close(images.tensor, torch.zeros(1, 3, 64, 64), atol=1e-6, rtol=0)
    assert images.image_sizes == [(33, 64)]
