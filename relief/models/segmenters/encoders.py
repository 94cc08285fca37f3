"""Bodies of U-Nets: maps of features at rising strides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, nn

from relief.models.weights.files import fill, load_state_dict
from relief.processes.lean_imports import late_compiler
from relief.schema.errors import UsageError

with late_compiler():
    import timm

_GROUPS = 8  # of group norm


class SmallEncoder(nn.Module):
    """Plain convolutions with group norm that train from scratch on a CPU.

    Args:
        widths: Channels at strides 2, 4, 8 and so on; multiples of 8.
    """

    def __init__(self, widths: Sequence[int] = (32, 64, 96, 128)) -> None:
        super().__init__()
        self.channels = tuple(widths)
        self.stages = nn.ModuleList()
        before = 3
        for width in widths:
            layers: list[nn.Module] = []
            for channels, stride in ((before, 2), (width, 1)):
                layers += [
                    nn.Conv2d(channels, width, 3, stride, padding=1, bias=False),
                    nn.GroupNorm(_GROUPS, width),
                    nn.ReLU(inplace=True),
                ]
            self.stages.append(nn.Sequential(*layers))
            before = width

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) -> maps at strides 2, 4, 8, ...; sides are rounded up."""
        maps = []
        for stage in self.stages:
            image = stage(image)
            maps.append(image)
        return maps


class TimmEncoder(nn.Module):
    """A network that timm knows, as the published ResNet-101.

    Args:
        model: timm's name; the network must offer `features_only`.
        weights: A state dict by timm's names (torchvision's, for a ResNet), read in `setup`;
            `None` starts from random weights.

    Raises:
        UsageError: timm knows no such network.
    """

    def __init__(self, model: str = "resnet101", weights: Path | None = None) -> None:
        super().__init__()
        try:
            self.body = timm.create_model(model, pretrained=False, features_only=True)
        except RuntimeError as error:
            msg = f"timm knows no network for features: {model} ({error}). Give another name."
            raise UsageError(msg) from error
        self.channels = tuple(self.body.feature_info.channels())
        self.weights = weights

    def setup(self) -> None:
        """Loads the weights, once; a classifier (`fc.*`) is left out.

        Raises:
            WeightsError: The file cannot be read, or holds another network.
        """
        if self.weights is None:
            return
        published = load_state_dict(self.weights)
        kept = {n: value for n, value in published.items() if not n.startswith("fc.")}
        fill(self.body, kept, source=str(self.weights))
        self.weights = None

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) -> maps at rising strides; of a ResNet 2, 4, 8, 16 and 32."""
        maps: list[Tensor] = self.body(image)
        return maps
