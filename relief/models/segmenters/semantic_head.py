"""The semantic head over the pyramid, its loss at full or at reduced resolution."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from relief.models.segmenters.detectron2_parts import SemSegFPNHead


class SemanticHead(SemSegFPNHead):
    """detectron2's head; the loss may look at every n-th pixel of every n-th row only.

    Attributes:
        loss_stride_px: 1 as published; 2 and 4 cost a quarter and a sixteenth, which counts where
            there are many classes and no accelerator.
    """

    loss_stride_px: int = 1

    def losses(self, predictions: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Weighted mean cross entropy of (B, C, h, w) logits against (B, H, W) classes.

        0 where every pixel is ignored: a mean of nothing is no number.
        """
        stride = self.loss_stride_px
        if stride == 1:
            loss: Tensor = super().losses(predictions, targets)["loss_sem_seg"]
        else:
            targets = targets[:, stride // 2 :: stride, stride // 2 :: stride]
            logits = F.interpolate(
                predictions.float(), size=targets.shape[-2:], mode="bilinear", align_corners=False
            )
            loss = F.cross_entropy(logits, targets, ignore_index=self.ignore_value)
            loss = loss * self.loss_weight
        counted = (targets != self.ignore_value).any()
        return {"loss_sem_seg": torch.where(counted, loss, predictions.float().sum() * 0.0)}
