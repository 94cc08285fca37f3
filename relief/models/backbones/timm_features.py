"""Features of several levels of any network that timm knows: EfficientNet, ResNet, ConvNeXt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relief.models.backbones.provenance import Provenance, no_weights
from relief.models.backbones.timm_vit import UNKNOWN_SUPERVISION
from relief.models.weights.files import load_state_dict, sha256_of
from relief.processes.lean_imports import late_compiler
from relief.schema.errors import UsageError, WeightsError

with late_compiler():
    import timm


class TimmFeatures(nn.Module):
    """Feature maps of chosen strides, each of length 1 at every place, side by side.

    Coarser maps are enlarged to the finest one. Nothing is downloaded and nothing is executed: the
    weights are a file, or come in an installed package that is never imported.

    Args:
        model: timm's name; the network must offer `features_only`.
        weights: A state dict on disk by timm's names, or in timm's order; read in `setup`.
        package: An installed Python package that holds one `.pth`, in place of `weights`.
        strides_px: Which levels, by the pixels that one place stands for.
        mirrored: Average with the features of the mirrored image.
        mean: Of the values in [0, 1] that the network was trained on, for each channel alike.
        std: Of them.
        supervision: Which labels the weights depended on, one sentence for the manifest; `None`
            states that there were none.

    Attributes:
        patch_px: The finest stride.
        dim: Channels of all levels, known after `setup`.

    Raises:
        UsageError: No strides.
    """

    def __init__(
        self,
        model: str,
        weights: str | None = None,
        package: str | None = None,
        strides_px: Sequence[int] = (16, 32),
        mirrored: bool = True,
        mean: float = 127 / 255,
        std: float = 128 / 255,
        supervision: str | None = UNKNOWN_SUPERVISION,
    ) -> None:
        super().__init__()
        if not strides_px:
            raise UsageError("no strides: TimmFeatures. Name at least one, such as 16.")
        self.model, self.weights, self.package = model, weights, package
        self.strides_px, self.mirrored = sorted(strides_px), mirrored
        self.mean, self.std, self.supervision = mean, std, supervision
        self.patch_px, self.dim = self.strides_px[0], 0
        self.network: Any = None
        self._provenance = no_weights()

    def setup(self) -> None:
        """Builds the network and reads its weights once.

        Raises:
            UsageError: timm has no such network, or it has no such level.
            WeightsError: No weights, or the file is missing, damaged, or of another network.
        """
        if self.network is not None:
            return
        path = self.weights or _in_package(self.package, self.model)
        whole, network, levels = self._built()
        tensors = _by_name(load_state_dict(path), whole, str(path))
        kept = {name: tensors[name] for name in network.state_dict()}
        network.load_state_dict(kept)
        self._provenance["weights"] = {"features": sha256_of(path)}
        if self.supervision:
            self._provenance["supervision"] = (self.supervision,)
        self.dim = sum(channels for _, channels in levels)
        # benchmarks.photographs: such convolutions take a fifth less time with channels last
        self.network = network.requires_grad_(False).eval().to(memory_format=torch.channels_last)

    def _built(self) -> tuple[Mapping[str, Tensor], Any, list[tuple[int, int]]]:
        """Tensors of the whole network, one that gives features, and (stride, channels) used."""
        try:
            whole = timm.create_model(self.model, pretrained=False).state_dict()
            offered = timm.create_model(self.model, pretrained=False, features_only=True)
        except (RuntimeError, TypeError, AttributeError, AssertionError) as error:
            msg = f"no features of timm: {self.model}. See timm.list_models()."
            raise UsageError(msg) from error
        strides = list(offered.feature_info.reduction())
        missing = [stride for stride in self.strides_px if stride not in strides]
        if missing:
            msg = f"no level of stride {missing[0]} px: {self.model}. It has {strides}."
            raise UsageError(msg)
        indices = [strides.index(stride) for stride in self.strides_px]
        network = timm.create_model(
            self.model, pretrained=False, features_only=True, out_indices=indices
        )
        channels = network.feature_info.channels()
        return whole, network, list(zip(self.strides_px, channels, strict=True))

    @property
    def provenance(self) -> Provenance:
        """Hash and supervision of the weights; empty before `setup`."""
        return self._provenance

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) float32 in [0, 1] -> (B, dim, H / patch, W / patch)."""
        if self.network is None:
            raise RuntimeError("TimmFeatures has no weights yet: call setup() first.")
        features = self._seen(image)
        if self.mirrored:
            features = (features + self._seen(image.flip(-1)).flip(-1)) / 2
        return features

    def _seen(self, image: Tensor) -> Tensor:
        size = (image.shape[-2] // self.patch_px, image.shape[-1] // self.patch_px)
        scaled = ((image - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        levels = [
            F.interpolate(F.normalize(level, dim=1), size, mode="bilinear", align_corners=False)
            for level in self.network(scaled)
        ]
        return torch.cat(levels, dim=1)


def _in_package(package: str | None, model: str) -> str:
    """The one `.pth` of an installed package; raises `WeightsError`."""
    if package is None:
        msg = f"no weights: TimmFeatures {model}. Give weights a file, or package a name."
        raise WeightsError(msg)
    spec = find_spec(package)
    folders = spec.submodule_search_locations if spec is not None else None
    files = sorted(Path(folders[0]).rglob("*.pth")) if folders else []
    if len(files) != 1:
        msg = f"no weights in the package {package}: {len(files)} .pth files. Run `make setup`."
        raise WeightsError(msg)
    return str(files[0])


def _by_name(
    tensors: Mapping[str, Tensor], whole: Mapping[str, Tensor], source: str
) -> dict[str, Tensor]:
    """Tensors by timm's names; those of other names stand in timm's order.

    Raises:
        WeightsError: They are of another network.
    """
    if set(tensors) >= set(whole):
        named = {name: tensors[name] for name in whole}
    elif len(tensors) == len(whole):
        named = dict(zip(whole, tensors.values(), strict=True))
    else:
        named = {}
    for name, own in whole.items():
        if name not in named or named[name].shape != own.shape:
            msg = f"cannot load weights: {source} ({name}). Give the file of this network."
            raise WeightsError(msg)
    return named
