"""SPIdepth's first network: a U-Net on a ConvNeXt V2 body, named as in the published file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relief.models.depth.state_dict_sizes import count
from relief.processes.lean_imports import late_compiler

with late_compiler():
    import timm


class FeatureUNet(nn.Module):
    """Image to features at half its size; what `encoder.pth` holds.

    Args:
        body_dims: Channels of the body's stages, shallow first.
        body_depths: Blocks of the body's stages.
        decoder_dims: Channels after each U-Net block, deep first.
        model_dim: Channels of the features.
        conv_mlp: Whether the body's feed-forward layers are stored as 1x1 convolutions.
    """

    def __init__(
        self,
        body_dims: Sequence[int],
        body_depths: Sequence[int],
        decoder_dims: Sequence[int],
        model_dim: int,
        conv_mlp: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = timm.create_model(
            "convnextv2_tiny",
            pretrained=False,
            features_only=True,
            dims=tuple(body_dims),
            depths=tuple(body_depths),
            conv_mlp=conv_mlp,
        )
        self.decoder = _UNetDecoder(tuple(reversed(body_dims)), decoder_dims, model_dim)

    @classmethod
    def like(cls, state_dict: Mapping[str, Tensor]) -> FeatureUNet:
        """A network of the sizes that a state dict's tensors have.

        Raises:
            KeyError: It is no state dict of such a network.
        """
        stages = count(state_dict, r"encoder\.stages_(\d+)\.")
        blocks = count(state_dict, r"decoder\.blocks\.(\d+)\.")
        feed_forward = "encoder.stages_0.blocks.0.mlp.fc1.weight"
        return cls(
            body_dims=[
                state_dict[f"encoder.stages_{i}.blocks.0.conv_dw.weight"].shape[0]
                for i in range(stages)
            ],
            body_depths=[
                count(state_dict, rf"encoder\.stages_{i}\.blocks\.(\d+)\.") for i in range(stages)
            ],
            decoder_dims=[
                state_dict[f"decoder.blocks.{i}.conv1.conv.weight"].shape[0] for i in range(blocks)
            ],
            model_dim=state_dict["decoder.final_conv.weight"].shape[0],
            conv_mlp=state_dict[feed_forward].ndim == 4,
        )

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, model_dim, H/2, W/2)."""
        return self.decoder(self.encoder(image)[::-1])


class _ConvNormReLU(nn.Module):
    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_dim, out_dim, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(out_dim)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class _UNetBlock(nn.Module):
    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.conv1 = _ConvNormReLU(in_dim, out_dim)
        self.conv2 = _ConvNormReLU(out_dim, out_dim)

    def forward(self, x: Tensor, skip: Tensor | None) -> Tensor:
        if skip is None:
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        else:
            x = F.interpolate(x, size=skip.shape[-2:], mode="bilinear", align_corners=True)
            x = torch.cat((x, skip), dim=1)
        return self.conv2(self.conv1(x))


class _UNetDecoder(nn.Module):
    def __init__(self, body_dims: Sequence[int], dims: Sequence[int], model_dim: int) -> None:
        super().__init__()
        skip_dims = (*body_dims[1:], 0)
        in_dims = (body_dims[0], *dims[:-1])
        self.blocks = nn.ModuleList(
            _UNetBlock(in_dim + skip_dim, dim)
            for in_dim, skip_dim, dim in zip(in_dims, skip_dims, dims, strict=True)
        )
        self.final_conv = nn.Conv2d(dims[-1], model_dim, 1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        x = features[0]
        skips = (*features[1:], None)
        for block, skip in zip(self.blocks, skips, strict=True):
            x = block(x, skip)
        return self.final_conv(x)
