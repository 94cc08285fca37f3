"""DeepLab: features seen at several dilations. Versions 2, 3 and 3+.

Logits are enlarged bilinearly with the borders of pixels in their place (the published version 2
puts the centres of the corner pixels there).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torchvision.models.segmentation.deeplabv3 import ASPP

from relief.models.segmenters.cascade.detectron2_parts import DeepLabV3PlusHead, ShapeSpec
from relief.models.segmenters.semantic_network import SemanticNetwork


class DeepLabV2(SemanticNetwork):
    """Four 3x3 convolutions to the classes at different dilations, summed (Chen et al., 2017).

    Args:
        num_things: Thing classes.
        num_regions: Regions, those of thing classes included.
        body: See `SemanticNetwork`.
        dilations: Of the convolutions, in steps of stride 8.
    """

    def __init__(
        self,
        num_things: int,
        num_regions: int,
        body: nn.Module,
        dilations: Sequence[int] = (6, 12, 18, 24),
    ) -> None:
        del num_things
        super().__init__(body)
        inside, classes = self.channels[1], 1 + num_regions
        branches = [nn.Conv2d(inside, classes, 3, padding=d, dilation=d) for d in dilations]
        for branch in branches:
            nn.init.normal_(branch.weight, 0, 0.01)
        self.branches = nn.ModuleList(branches)

    def head_logits(self, low: Tensor, high: Tensor) -> Tensor:
        """(B, C, h, w) at stride 8 -> logits of that size."""
        del low
        first, *others = (branch(high) for branch in self.branches)
        return sum(others, first)


class DeepLabV3(SemanticNetwork):
    """torchvision's pyramid of dilations with the pooled image (Chen et al., 2017b).

    Args:
        num_things: Thing classes.
        num_regions: Regions, those of thing classes included.
        body: See `SemanticNetwork`.
        dilations: Three, in steps of stride 8.
        width: Channels of the head.
    """

    def __init__(
        self,
        num_things: int,
        num_regions: int,
        body: nn.Module,
        dilations: Sequence[int] = (12, 24, 36),
        width: int = 256,
    ) -> None:
        del num_things
        super().__init__(body)
        self.head = nn.Sequential(
            ASPP(self.channels[1], list(dilations), width),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, 1 + num_regions, 1),
        )

    def head_logits(self, low: Tensor, high: Tensor) -> Tensor:
        """(B, C, h, w) at stride 8 -> logits of that size."""
        del low
        logits: Tensor = self.head(high)
        return logits


class DeepLabV3Plus(SemanticNetwork):
    """detectron2's head: a pyramid of dilations, refined by features at stride 4 (2018).

    Args:
        num_things: Thing classes.
        num_regions: Regions, those of thing classes included.
        body: See `SemanticNetwork`.
        dilations: Three, in steps of stride 8.
        width: Channels of the head.
        low_width: Channels that the features at stride 4 are brought to.
        separable: Convolutions by channel, then 1x1, as published.
    """

    def __init__(
        self,
        num_things: int,
        num_regions: int,
        body: nn.Module,
        dilations: Sequence[int] = (6, 12, 18),
        width: int = 256,
        low_width: int = 48,
        separable: bool = True,
    ) -> None:
        del num_things
        super().__init__(body)
        low, high = self.channels
        shapes = {
            "low": ShapeSpec(channels=low, stride=4),
            "high": ShapeSpec(channels=high, stride=8),
        }
        self.head = DeepLabV3PlusHead(
            shapes,
            project_channels=[low_width],
            aspp_dilations=list(dilations),
            aspp_dropout=0.1,
            decoder_channels=[width, width],
            common_stride=4,
            norm="BN",
            train_size=None,
            num_classes=1 + num_regions,
            use_depthwise_separable_conv=separable,
        )

    def head_logits(self, low: Tensor, high: Tensor) -> Tensor:
        """Features at strides 4 and 8 -> logits at stride 4."""
        logits: Tensor = self.head.layers({"low": low, "high": high})
        return logits
