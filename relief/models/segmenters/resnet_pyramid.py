"""Residual networks with a feature pyramid: the published ResNet-50, and a small one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from relief.models.segmenters.cascade.detectron2_parts import (
    FPN,
    BasicBlock,
    BasicStem,
    LastLevelMaxPool,
    ResNet,
    ShapeSpec,
    build_resnet_fpn_backbone,
    get_cfg,
)
from relief.models.weights.files import fill, load_state_dict

STAGES = ("res2", "res3", "res4", "res5")


def dino_to_detectron2(name: str) -> str:
    """The name of a torchvision ResNet's parameter, as DINO publishes them, in detectron2's.

    `layer1.0.downsample.1.weight` -> `res2.0.shortcut.norm.weight`, `bn1.bias` ->
    `stem.conv1.norm.bias`, `layer4.2.bn3.running_var` -> `res5.2.conv3.norm.running_var`.
    """
    name = re.sub(r"^layer(\d)", lambda found: f"res{int(found[1]) + 1}", name)
    name = name.replace("downsample.0", "shortcut").replace("downsample.1", "shortcut.norm")
    name = re.sub(r"bn(\d)", r"conv\1.norm", name)
    return name if name.startswith("res") else f"stem.{name}"


class ResNetPyramid(FPN):
    """The published backbone: ResNet-50 with the stride in its 3x3 convolutions, and an FPN.

    Batch norms are plain here; with `trainer.sync_batchnorm: true` Lightning turns them into
    synchronised ones where there is more than one process.

    Args:
        weights: `dino_resnet50_pretrain.pth` or another state dict with torchvision's names; `None`
            starts from random weights.
        width: Channels of the pyramid.
        norm: Of body and pyramid, detectron2's name: `BN`, `GN`, `FrozenBN`.
        freeze_stages: How many stages, from the stem, stay as they are loaded.
    """

    def __init__(
        self,
        weights: Path | None = None,
        width: int = 256,
        norm: str = "BN",
        freeze_stages: int = 0,
    ) -> None:
        config = get_cfg()
        config.MODEL.RESNETS.OUT_FEATURES = list(STAGES)
        config.MODEL.RESNETS.STRIDE_IN_1X1 = False
        config.MODEL.RESNETS.NORM = norm
        config.MODEL.BACKBONE.FREEZE_AT = freeze_stages
        config.MODEL.FPN.IN_FEATURES = list(STAGES)
        config.MODEL.FPN.OUT_CHANNELS = width
        bottom_up = build_resnet_fpn_backbone(config, ShapeSpec(channels=3)).bottom_up
        super().__init__(bottom_up, list(STAGES), width, norm=norm, top_block=LastLevelMaxPool())
        self.weights = weights

    def setup(self) -> None:
        """Loads the weights of the body, once.

        Raises:
            WeightsError: The file cannot be read, or does not hold this ResNet.
        """
        if self.weights is None:
            return
        self.load_body(load_state_dict(self.weights), str(self.weights))
        self.weights = None

    def load_body(self, published: Mapping[str, Tensor], source: str = "state dict") -> None:
        """Fills the body from torchvision's names; a classifier (`fc.*`) is left out.

        Raises:
            WeightsError: Names or shapes do not fit.
        """
        renamed = {
            dino_to_detectron2(name): value
            for name, value in published.items()
            if not name.startswith("fc.")
        }
        own = self.bottom_up.state_dict()
        counters = {name: own[name] for name in own if name.endswith("num_batches_tracked")}
        unused = [name for name in renamed if name.endswith("num_batches_tracked")]
        fill(self.bottom_up, counters | renamed, source=source, ignored=unused)


class SmallResNetPyramid(FPN):
    """A residual network that trains from scratch on a CPU: group norm throughout.

    Args:
        widths: Channels at strides 4, 8, 16 and 32; rising, multiples of 32 (the norm's
            groups).
        blocks: Residual blocks per stage.
        width: Channels of the pyramid.
    """

    def __init__(
        self,
        widths: Sequence[int] = (32, 64, 128, 192),
        blocks: Sequence[int] = (1, 1, 1, 1),
        width: int = 64,
    ) -> None:
        stem = BasicStem(in_channels=3, out_channels=widths[0], norm="GN")
        stages, channels = [], widths[0]
        for index, (out_channels, count) in enumerate(zip(widths, blocks, strict=True)):
            strides = [1 if index == 0 else 2] + [1] * (count - 1)
            stages.append(
                ResNet.make_stage(
                    BasicBlock,
                    count,
                    in_channels=channels,
                    out_channels=out_channels,
                    stride_per_block=strides,
                    norm="GN",
                )
            )
            channels = out_channels
        bottom_up = ResNet(stem, stages, out_features=list(STAGES))
        super().__init__(bottom_up, list(STAGES), width, norm="GN", top_block=LastLevelMaxPool())

    def setup(self) -> None:
        """Nothing to load: it starts from random weights."""
