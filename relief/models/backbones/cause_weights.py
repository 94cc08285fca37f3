"""One file for body, head and codebook of CAUSE-TR, and random values of the same shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from relief.models.backbones.dinov2_body import needed
from relief.schema.errors import WeightsError
from relief.schema.plain_text import json_of, sentences_of

ABOUT_KEY = "about"  # one JSON string: safetensors writes several keys in random order


def split_state_dict(
    tensors: Mapping[str, Tensor], source: str
) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor]:
    """Body, head and codebook of one file, as float32.

    Raises:
        WeightsError: There is no codebook, or a name belongs to none of the three.
    """
    parts: dict[str, dict[str, Tensor]] = {"backbone": {}, "segment": {}}
    codebook = needed(tensors, "codebook", source).float()
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        if part in parts:
            parts[part][rest] = tensor.float()
        elif name != "codebook":
            msg = f"cannot load weights: {source} (unknown {name}). Give the file of CauseTR."
            raise WeightsError(msg)
    return parts["backbone"], parts["segment"], codebook


def random_like(tensors: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
    """Tensors of the same shapes as a network has before it learns.

    Matrices are normal with variance 1 / inputs, embeddings normal with deviation 0.02 as ViTs
    begin, norms and layer scales 1, biases 0, codes unit normal.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = {}
    for name, tensor in sorted(tensors.items()):
        normal = torch.randn(tensor.shape, generator=generator)
        if name == "codebook":
            drawn[name] = normal
        elif name.endswith(("pos_embed", "cls_token", "query_pos")):
            drawn[name] = normal * 0.02
        elif tensor.ndim > 1:
            drawn[name] = normal * tensor[0].numel() ** -0.5
        else:
            drawn[name] = torch.full(tensor.shape, 0.0 if name.endswith("bias") else 1.0)
    return drawn


def about_of(path: str) -> dict[str, list[str]]:
    """Returns what `CauseTR.save` wrote beside the tensors; empty for other files.

    Raises:
        WeightsError: It cannot be read.
    """
    about = read_about(path)
    try:
        return {name: list(sentences_of(about, name)) for name in about}
    except ValueError as error:
        raise _unreadable(path) from error


def read_about(path: str) -> dict[str, Any]:
    """Returns what was written beside the tensors as JSON; empty for other files.

    Raises:
        WeightsError: It cannot be read.
    """
    if not path.endswith(".safetensors"):
        return {}
    try:
        with safe_open(path, framework="pt") as file:
            return dict(json_of((file.metadata() or {}).get(ABOUT_KEY, "{}")))
    except Exception as error:  # a cut or foreign file fails in many ways
        raise _unreadable(path) from error


def _unreadable(path: str) -> WeightsError:
    return WeightsError(
        f"cannot load weights: {path} (what made them cannot be read). Get the file again."
    )
