"""Published weights of vision transformers in timm's networks."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from relief.models.weights.files import fill
from relief.schema.errors import WeightsError

_PATCHES = "patch_embed.proj.weight"
_PERIODS = "rope_embed.periods"
_BIAS = ".attn.qkv.bias"
_HEADS = ("head.", "fc_norm.", "head_dist.", "norm_fc.")
_IGNORED = ("mask_token",)  # stands for hidden patches in pretraining; inference hides none


def fill_vit(vit: Any, tensors: Mapping[str, Tensor], *, model: str, source: str) -> None:
    """Copies tensors by published or timm's own names into a network.

    Heads are left out, names translated by the function that timm keeps beside the class of the
    network. DINOv3's periods are rounded in the published files; the rounded ones are used.

    Args:
        vit: A network of timm.
        tensors: By name.
        model: timm's name of the network, for errors.
        source: The file of which errors speak.

    Raises:
        WeightsError: A tensor is missing, unknown, or of another shape; patches have another size;
            or the file has biases for which the network has no place.
    """
    _check_patches(vit, tensors, model, source)
    _check_biases(vit, tensors, model, source)
    fill(vit, _without_heads(vit, _translated(vit, tensors)), source=source, ignored=_IGNORED)
    periods = tensors.get(_PERIODS)
    own = getattr(getattr(vit, "rope", None), "periods", None)
    if periods is not None and own is not None and own.shape == periods.shape:
        own.copy_(periods)


def _check_patches(vit: Any, tensors: Mapping[str, Tensor], model: str, source: str) -> None:
    """Another size of patches is another network: timm would resample the file silently."""
    own = tuple(vit.patch_embed.proj.weight.shape[-2:])
    for name, tensor in tensors.items():
        if name.endswith(_PATCHES) and tensor.ndim == 4 and tuple(tensor.shape[-2:]) != own:
            msg = (
                f"cannot load weights: {source} (patches of {tensor.shape[-1]} px, {model} has "
                f"{own[-1]} px). Give the file that belongs to this network."
            )
            raise WeightsError(msg)


def _check_biases(vit: Any, tensors: Mapping[str, Tensor], model: str, source: str) -> None:
    """DINOv3's biases are dropped by timm where its network has none: right only for 0."""
    own = dict(vit.named_parameters())
    for name, tensor in tensors.items():
        in_place = name in own or f"{name.removesuffix(_BIAS)}.attn.q_bias" in own
        if in_place or "storage_tokens" not in tensors or not name.endswith(_BIAS):
            continue
        queries, _, values = tensor.chunk(3)
        if torch.count_nonzero(queries) or torch.count_nonzero(values):
            msg = (
                f"cannot load weights: {source} ({name} is not 0, {model} has no such bias). "
                "Use timm's model of that name with _qkvb."
            )
            raise WeightsError(msg)


def _translated(vit: Any, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    translate = getattr(sys.modules[type(vit).__module__], "checkpoint_filter_fn", None)
    if translate is None:
        return tensors
    with contextlib.redirect_stdout(io.StringIO()):  # timm prints every bias that it drops
        translated: Mapping[str, Tensor] = translate(dict(tensors), vit)
    return translated


def _without_heads(vit: Any, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    own = vit.state_dict()
    return {n: t for n, t in tensors.items() if n in own or not n.startswith(_HEADS)}
