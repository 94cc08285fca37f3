"""Bodies of semantic networks: a residual network with dilated last stages, and a small one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from relief.models.weights.files import fill, load_state_dict


class DilatedResNet(nn.Module):
    """torchvision's ResNet without its classifier; the last two stages keep stride 8.

    Args:
        weights: A state dict with torchvision's names, such as its `resnet101-*.pth`; `None` starts
            from random weights.
        blocks: Of each stage: those of ResNet-101.
    """

    channels = (256, 2048)

    def __init__(self, weights: Path | None = None, blocks: Sequence[int] = (3, 4, 23, 3)) -> None:
        super().__init__()
        dilated = [False, True, True]
        self.stages = ResNet(Bottleneck, list(blocks), replace_stride_with_dilation=dilated)
        del self.stages.fc, self.stages.avgpool
        self.weights = weights

    def setup(self) -> None:
        """Loads the weights, once.

        Raises:
            WeightsError: The file cannot be read, or does not hold this ResNet.
        """
        if self.weights is None:
            return
        state = load_state_dict(self.weights)
        own = self.stages.state_dict()
        counters = {name: own[name] for name in own if name.endswith("num_batches_tracked")}
        classifier = [name for name in state if name.startswith("fc.")]
        fill(self.stages, {**counters, **state}, source=self.weights, ignored=classifier)
        self.weights = None

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Features at strides 4 and 8; see `Body`."""
        net = self.stages
        low = net.layer1(net.maxpool(net.relu(net.bn1(net.conv1(image)))))
        return low, net.layer4(net.layer3(net.layer2(low)))


class SmallBody(nn.Module):
    """A residual network that trains from scratch on a CPU, with batch norms.

    Args:
        widths: Channels at strides 2, 4 and 8.
        blocks: Residual blocks at stride 8, each but the first with twice the dilation before.
    """

    def __init__(self, widths: tuple[int, int, int] = (24, 48, 96), blocks: int = 2) -> None:
        super().__init__()
        self.channels = (widths[1], widths[2])
        self.stem = nn.Sequential(
            nn.Conv2d(3, widths[0], 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(inplace=True),
        )
        self.low = _block(widths[0], widths[1], 2)
        self.high = nn.Sequential(
            _block(widths[1], widths[2], 2),
            *(_dilated(widths[2], 2**number) for number in range(1, blocks)),
        )

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Features at strides 4 and 8; see `Body`."""
        low = self.low(self.stem(image))
        return low, self.high(low)


def _block(inside: int, outside: int, stride: int) -> nn.Module:
    shortcut = nn.Sequential(
        nn.Conv2d(inside, outside, 1, stride=stride, bias=False), nn.BatchNorm2d(outside)
    )
    return BasicBlock(inside, outside, stride, shortcut)


def _dilated(width: int, dilation: int) -> nn.Module:
    block = BasicBlock(width, width)
    for convolution in (block.conv1, block.conv2):
        convolution.dilation = convolution.padding = (dilation, dilation)
    return block
