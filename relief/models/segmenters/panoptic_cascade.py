"""Panoptic Cascade Mask R-CNN: detectron2's PanopticFPN with three box stages and DropLoss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from relief.models.segmenters.cascade.detectron2_parts import BitMasks, Boxes, Instances, get_cfg
from relief.models.segmenters.cascade.heads import SoftMasks, evaluating, quiet_detectron2
from relief.models.segmenters.cascade.network import PYRAMID, CascadeFeatures, build_cascade
from relief.models.segmenters.prediction.size import paste_detections, resize_logits
from relief.ops.objects.instance_targets import instance_targets
from relief.schema.label_spaces import VOID
from relief.schema.training import ScoredBoxes, SegmenterPrediction, TrainingBatch, TrainingMoment


class PanopticCascade(nn.Module):
    """One network for stuff regions and single objects; the numbers are the published ones.

    Sizes in px are at the size of the images given. The losses are detectron2's own, but for
    DropLoss; images need no padding, any size is taken.

    Args:
        num_things: Classes of single objects.
        num_stuff: Classes of regions; the semantic head has one more, shared by all things. With 0
            there is no semantic head: a detector of objects without classes has one thing class.
        backbone: A detectron2 backbone with maps p2..p6, such as `ResNetPyramid`.
        anchor_sizes_px: One size per map of the pyramid, p2..p6.
        anchors_per_image: Anchors sampled for the proposal losses.
        anchors_kept: Best anchors per map before suppression, in training and prediction.
        proposals_kept: Best proposals per image after it, in training and prediction.
        regions_per_image: Proposals sampled for the box losses, a quarter of them objects.
        box_layers: Fully connected layers of each of the three box heads.
        box_width: Their width.
        mask_layers: Convolutions of the mask head before its enlargement.
        mask_width: Their channels.
        semantic_width: Channels of the semantic head, a multiple of 32.
        roi_sampling_ratio: Samples per cell and side of ROIAlign; 0 takes as many as fit.
        semantic_loss_weight: Weight of the semantic loss in the sum.
        semantic_loss_stride_px: The semantic loss looks at every n-th pixel of every n-th row.
        drop_loss_iou: Proposals that overlap no labelled box by more than this are not taught to
            be background; `None` turns DropLoss off.
        soft_masks: How the confidence of labels weighs the mask loss; `None`, or labels without
            confidence: all cells count alike.
        score_threshold: Least score of a detection.
        suppression_iou: Detections of a class that overlap by more are one object.
        detections_per_image: At most so many are kept.
    """

    def __init__(
        self,
        num_things: int,
        num_stuff: int,
        *,
        backbone: nn.Module,
        anchor_sizes_px: Sequence[int] = (32, 64, 128, 256, 512),
        anchors_per_image: int = 256,
        anchors_kept: tuple[int, int] = (2000, 1000),
        proposals_kept: tuple[int, int] = (4000, 1000),
        regions_per_image: int = 512,
        box_layers: int = 2,
        box_width: int = 1024,
        mask_layers: int = 4,
        mask_width: int = 256,
        semantic_width: int = 128,
        roi_sampling_ratio: int = 0,
        semantic_loss_weight: float = 0.5,
        semantic_loss_stride_px: int = 1,
        drop_loss_iou: float | None = 0.4,
        soft_masks: SoftMasks | None = None,
        score_threshold: float = 0.5,
        suppression_iou: float = 0.5,
        detections_per_image: int = 100,
    ) -> None:
        super().__init__()
        config = get_cfg()
        model = config.MODEL
        model.ANCHOR_GENERATOR.SIZES = [[size] for size in anchor_sizes_px]
        model.RPN.IN_FEATURES = [*PYRAMID, "p6"]
        model.RPN.BATCH_SIZE_PER_IMAGE = anchors_per_image
        model.RPN.PRE_NMS_TOPK_TRAIN, model.RPN.PRE_NMS_TOPK_TEST = anchors_kept
        model.RPN.POST_NMS_TOPK_TRAIN, model.RPN.POST_NMS_TOPK_TEST = proposals_kept
        model.RPN.NMS_THRESH = 0.65
        model.ROI_HEADS.IN_FEATURES = list(PYRAMID)
        model.ROI_HEADS.NUM_CLASSES = num_things
        model.ROI_HEADS.BATCH_SIZE_PER_IMAGE = regions_per_image
        model.ROI_HEADS.SCORE_THRESH_TEST = score_threshold
        model.ROI_HEADS.NMS_THRESH_TEST = suppression_iou
        config.TEST.DETECTIONS_PER_IMAGE = detections_per_image
        model.ROI_BOX_HEAD.NAME = "FastRCNNConvFCHead"
        model.ROI_BOX_HEAD.NUM_FC = box_layers
        model.ROI_BOX_HEAD.FC_DIM = box_width
        model.ROI_BOX_HEAD.POOLER_RESOLUTION = 7
        model.ROI_BOX_HEAD.POOLER_SAMPLING_RATIO = roi_sampling_ratio
        model.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG = True
        model.MASK_ON = True
        model.ROI_MASK_HEAD.NUM_CONV = mask_layers
        model.ROI_MASK_HEAD.CONV_DIM = mask_width
        model.ROI_MASK_HEAD.POOLER_SAMPLING_RATIO = roi_sampling_ratio
        model.SEM_SEG_HEAD.NUM_CLASSES = num_stuff + 1
        model.SEM_SEG_HEAD.CONVS_DIM = semantic_width
        model.SEM_SEG_HEAD.LOSS_WEIGHT = semantic_loss_weight
        model.SEM_SEG_HEAD.IGNORE_VALUE = VOID
        self.has_stuff, self.soft_masks = num_stuff > 0, soft_masks
        self.detector = build_cascade(config, backbone, has_stuff=self.has_stuff)
        self.detector.roi_heads.drop_loss_iou = drop_loss_iou
        self.detector.roi_heads.soft_masks = soft_masks
        if self.has_stuff:
            self.detector.sem_seg_head.loss_stride_px = semantic_loss_stride_px

    def setup(self) -> None:
        """Loads the initial weights of the backbone, if it has any.

        Raises:
            WeightsError: As the backbone's `setup`.
        """
        backbone: Any = self.detector.backbone
        backbone.setup()

    def forward(
        self, batch: TrainingBatch, moment: TrainingMoment | None = None
    ) -> dict[str, Tensor]:
        """The weighted losses by name; their sum is what is minimised.

        `loss_sem_seg` (where there is stuff), `loss_rpn_cls`, `loss_rpn_loc`, `loss_cls_stageN`,
        `loss_box_reg_stageN` (N = 0..2) and `loss_mask`, scalars; the same at every moment.
        """
        del moment
        height, width = batch["image"].shape[-2:]
        inputs = []
        for index, image in enumerate(batch["image"]):
            targets = instance_targets(batch["instance"][index], batch["classes"][index])
            instances = Instances((height, width))
            instances.gt_boxes = Boxes(targets["boxes"])
            instances.gt_classes = targets["classes"]
            instances.gt_masks = BitMasks(targets["masks"])
            if self.soft_masks is not None and "confidence" in batch:
                sure = batch["confidence"][index]
                instances.gt_confidence = sure.expand(len(instances), height, width)
            inputs.append(
                {"image": image, "sem_seg": batch["semantic"][index], "instances": instances}
            )
        with quiet_detectron2():
            losses: dict[str, Tensor] = self.detector(inputs)
        return losses

    @torch.no_grad()
    def encode(self, image: Tensor) -> CascadeFeatures:
        """(B, 3, H, W) float32 in [0, 1] -> the maps of the pyramid; the image is padded."""
        with evaluating(self):
            images = self.detector.preprocess_image([{"image": one} for one in image])
            return CascadeFeatures(images, self.detector.backbone(images.tensor))

    @torch.no_grad()
    def boxes(self, features: CascadeFeatures) -> list[ScoredBoxes]:
        """The objects of each image, in px of the images that were encoded."""
        with evaluating(self):
            proposals, _ = self.detector.proposal_generator(*features, None)
            found = self.detector.roi_heads.find_boxes(features.levels, proposals)
        return [
            ScoredBoxes(
                boxes=one.pred_boxes.tensor.float(),
                classes=one.pred_classes,
                scores=one.scores.float(),
            )
            for one in found
        ]

    @torch.no_grad()
    def mask_probabilities(
        self, features: CascadeFeatures, boxes: Sequence[Tensor], classes: Sequence[Tensor]
    ) -> list[Tensor]:
        """Per image (N, 4) boxes of (N,) thing classes -> (N, 28, 28) float32 over each box."""
        with evaluating(self):
            return self.detector.roi_heads.masks_of_boxes(
                features.levels, features.images.image_sizes, boxes, classes
            )

    @torch.no_grad()
    def semantic_logits(self, features: CascadeFeatures) -> Tensor:
        """(B, 1 + regions, H, W) float32, without what was padded; zeros without stuff."""
        if not self.has_stuff:
            size = features.images.image_sizes[0]
            return torch.zeros(len(features.images), 1, *size, device=features.images.device)
        with evaluating(self):
            logits, _ = self.detector.sem_seg_head(features.levels, None)
        height, width = features.images.image_sizes[0]
        return logits.float()[..., :height, :width]

    def predict(self, image: Tensor, size: tuple[int, int] | None = None) -> SegmenterPrediction:
        """Stuff logits and objects, the mode of the network left as it is found.

        Args:
            image: (B, 3, H, W) float32 in [0, 1].
            size: (height, width) of masks and logits; the image's unless given.
        """
        own_size = (image.shape[-2], image.shape[-1])
        size = size or own_size
        features = self.encode(image)
        logits = resize_logits(self.semantic_logits(features), size)
        found = self.boxes(features)
        masks = self.mask_probabilities(
            features, [one["boxes"] for one in found], [one["classes"] for one in found]
        )
        return SegmenterPrediction(
            semantic_logits=logits,
            detections=[
                paste_detections(one, probabilities, own_size, size)
                for one, probabilities in zip(found, masks, strict=True)
            ],
        )
