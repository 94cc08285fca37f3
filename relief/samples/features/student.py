"""The sample's network before it learns: a small CAUSE-TR whose first layer starts as filters."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from relief.models.backbones.cause_tr import CauseTR
from relief.models.backbones.cause_weights import random_like

PATCH_PX = 14
WINDOW_PATCHES = 23  # 322 px: positions are learned for the published window


def new_student(
    width: int = 128,
    depth: int = 3,
    num_heads: int = 2,
    hidden: int = 512,
    codes: int = 128,
    seed: int = 0,
) -> CauseTR:
    """A CAUSE-TR of the given sizes with random weights.

    The patch embedding starts as Gabor filters of random scale, direction and place, in pairs of
    a quarter wave, weighted over the colour channels like brightness: what any network that sees
    texture finds first.

    Args:
        width: Channels of the tokens.
        depth: Blocks of the body.
        num_heads: Of the body.
        hidden: Channels of the feed-forward parts.
        codes: Entries of the head's codebook.
        seed: Of the random values.
    """
    tensors = random_like(_shapes(width, depth, hidden, codes), seed)
    backbone = {n[9:]: t for n, t in tensors.items() if n.startswith("backbone.")}
    segment = {n[8:]: t for n, t in tensors.items() if n.startswith("segment.")}
    for name, tensor in [*backbone.items(), *segment.items()]:
        if name.endswith(("proj.weight", "fc2.weight", "linear2.weight")) and tensor.ndim == 2:
            tensor.mul_((2 * depth) ** -0.5)  # residual branches begin small
    generator = torch.Generator().manual_seed(seed)
    backbone["patch_embed.proj.weight"] = gabor_filters(width, generator)
    return CauseTR.from_state_dicts(backbone, segment, tensors["codebook"], num_heads)


def gabor_filters(count: int, generator: torch.Generator) -> Tensor:
    """(count, 3, 14, 14): random Gabor filters of unit norm without mean, in quadrature pairs."""
    pairs = -(-count // 2)
    draw = torch.rand(4, pairs, generator=generator)
    wavelength = 2.2 * (14 / 2.2) ** draw[0]
    angle = math.pi * draw[1]
    sigma = (0.6 * wavelength).clamp(1.2, 5.0)
    reach = (6.5 - 1.5 * sigma).clamp(min=0)
    centre = 6.5 + (draw[2:] * 2 - 1) * reach
    axis = torch.arange(PATCH_PX, dtype=torch.float32)
    y = (axis[:, None] - centre[0].view(-1, 1, 1)).expand(-1, PATCH_PX, PATCH_PX)
    x = (axis[None, :] - centre[1].view(-1, 1, 1)).expand(-1, PATCH_PX, PATCH_PX)
    along = x * angle.cos().view(-1, 1, 1) + y * angle.sin().view(-1, 1, 1)
    phase = 2 * math.pi * along / wavelength.view(-1, 1, 1)
    envelope = torch.exp(-(x**2 + y**2) / (2 * sigma.view(-1, 1, 1) ** 2))
    waves = torch.stack([envelope * phase.cos(), envelope * phase.sin()], dim=1).flatten(0, 1)
    waves = waves - waves.mean(dim=(1, 2), keepdim=True)
    waves = waves / waves.flatten(1).norm(dim=1).view(-1, 1, 1)
    brightness = torch.tensor([0.299, 0.587, 0.114]) / 0.668  # unit norm
    return (waves[:count, None] * brightness.view(1, 3, 1, 1)).contiguous()


def _shapes(width: int, depth: int, hidden: int, codes: int) -> dict[str, Tensor]:
    """Tensors (on no device) by the published names."""
    tokens = WINDOW_PATCHES**2
    dim = CauseTR.dim
    shapes: dict[str, tuple[int, ...]] = {
        "backbone.cls_token": (1, 1, width),
        "backbone.pos_embed": (1, tokens + 1, width),
        "backbone.patch_embed.proj.weight": (width, 3, PATCH_PX, PATCH_PX),
        "backbone.patch_embed.proj.bias": (width,),
        "backbone.norm.weight": (width,),
        "backbone.norm.bias": (width,),
        "codebook": (codes, width),
        "segment.head_ema.query_pos": (tokens, width),
    }
    for block in range(depth):
        prefix = f"backbone.blocks.{block}."
        shapes |= _linear(f"{prefix}attn.qkv", width, 3 * width)
        shapes |= _linear(f"{prefix}attn.proj", width, width)
        shapes |= _linear(f"{prefix}mlp.fc1", width, hidden)
        shapes |= _linear(f"{prefix}mlp.fc2", hidden, width)
        for norm in ("norm1", "norm2"):
            shapes |= {f"{prefix}{norm}.weight": (width,), f"{prefix}{norm}.bias": (width,)}
    head = "segment.head_ema.tr."
    for attention in ("self_attn", "multihead_attn"):
        shapes[f"{head}{attention}.in_proj_weight"] = (3 * width, width)
        shapes[f"{head}{attention}.in_proj_bias"] = (3 * width,)
        shapes |= _linear(f"{head}{attention}.out_proj", width, width)
    shapes |= _linear(f"{head}linear1", width, hidden) | _linear(f"{head}linear2", hidden, width)
    for norm in ("norm1", "norm2", "norm3"):
        shapes |= {f"{head}{norm}.weight": (width,), f"{head}{norm}.bias": (width,)}
    for name, outputs in (("f1", dim), ("f2.0", width), ("f2.2", dim)):
        shapes[f"{head}{name}.weight"] = (outputs, width, 1, 1)
        shapes[f"{head}{name}.bias"] = (outputs,)
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


def _linear(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}
