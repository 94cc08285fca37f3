"""The semantic head over the pyramid, its loss at full or at reduced resolution."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from relief.models.segmenters.cascade.detectron2_parts import SemSegFPNHead


class SemanticHead(SemSegFPNHead):
    """detectron2's head; the loss may look at every n-th pixel of every n-th row only.

    Attributes:
        loss_stride_px: 1 as published; 2 and 4 cost a quarter and a sixteenth, which counts where
            there are many classes and no accelerator.
    """

    loss_stride_px: int = 1

    def losses(self, predictions: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Weighted mean cross entropy of (B, C, h, w) logits against (B, H, W) classes.

        The mean of nothing, where all pixels are ignored, is 0 with a gradient of 0.
        """
        stride = self.loss_stride_px
        sampled = targets[:, stride // 2 :: stride, stride // 2 :: stride]
        if not (sampled != self.ignore_value).any():
            return {"loss_sem_seg": predictions.sum() * 0.0}
        if stride == 1:
            losses: dict[str, Tensor] = super().losses(predictions, targets)
            return losses
        logits = F.interpolate(
            predictions.float(), size=sampled.shape[-2:], mode="bilinear", align_corners=False
        )
        loss = F.cross_entropy(logits, sampled, ignore_index=self.ignore_value)
        return {"loss_sem_seg": loss * self.loss_weight}
