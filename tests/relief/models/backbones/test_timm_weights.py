"""Published key names against networks written down here: DINO, DINOv2 with registers, DINOv3.

The networks are timm's own by their names, with fewer and narrower blocks.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import Tensor

from relief.models.backbones.timm_vit import TimmViT
from relief.schema.errors import WeightsError

WIDTH, HEADS, DEPTH = 24, 3, 2
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as all three were taught
Rotate = Callable[[Tensor], Tensor]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    create = timm.create_model
    sizes = {"embed_dim": WIDTH, "depth": DEPTH, "num_heads": HEADS}
    monkeypatch.setattr(timm, "create_model", lambda name, **kw: create(name, **sizes, **kw))


@pytest.fixture
def draw():
    generator = torch.Generator().manual_seed(0)
    return lambda *shape: torch.randn(*shape, generator=generator) * 0.3


def published(draw, patch_px: int) -> dict[str, Tensor]:
    """What the three families have in common."""
    tensors = {
        "cls_token": draw(1, 1, WIDTH),
        "patch_embed.proj.weight": draw(WIDTH, 3, patch_px, patch_px) / patch_px,
        "patch_embed.proj.bias": draw(WIDTH),
        "norm.weight": 1 + draw(WIDTH),
        "norm.bias": draw(WIDTH),
    }
    for i in range(DEPTH):
        shapes = {"attn.qkv": 3 * WIDTH, "attn.proj": WIDTH, "mlp.fc1": 4 * WIDTH}
        for name, rows in shapes.items():
            tensors[f"blocks.{i}.{name}.weight"] = draw(rows, WIDTH)
            tensors[f"blocks.{i}.{name}.bias"] = draw(rows)
        tensors[f"blocks.{i}.mlp.fc2.weight"] = draw(WIDTH, 4 * WIDTH)
        tensors[f"blocks.{i}.mlp.fc2.bias"] = draw(WIDTH)
        for name in ("norm1", "norm2"):
            tensors[f"blocks.{i}.{name}.weight"] = 1 + draw(WIDTH)
            tensors[f"blocks.{i}.{name}.bias"] = draw(WIDTH)
    return tensors


def with_scales(draw, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Layer scales, and a token that only pretraining uses."""
    scales = {f"blocks.{i}.ls{n}.gamma": draw(WIDTH) for i in range(DEPTH) for n in (1, 2)}
    return {**tensors, **scales, "mask_token": draw(1, 1, WIDTH)}


def patches(p: dict[str, Tensor], image: Tensor) -> Tensor:
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    weight = p["patch_embed.proj.weight"]
    grid = F.conv2d((image - mean) / std, weight, p["patch_embed.proj.bias"], weight.shape[-1])
    return grid.flatten(2).mT


def blocks(p: dict[str, Tensor], x: Tensor, eps: float, rotate: Rotate = lambda q: q) -> Tensor:
    """The blocks and the last norm, written down; `rotate` acts on queries and keys."""

    def norm(x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, (WIDTH,), p[f"{name}.weight"], p[f"{name}.bias"], eps)

    def linear(x: Tensor, name: str) -> Tensor:
        return x @ p[f"{name}.weight"].T + p.get(f"{name}.bias", torch.zeros(1))

    for i in range(DEPTH):
        b = f"blocks.{i}"
        qkv = linear(norm(x, f"{b}.norm1"), f"{b}.attn.qkv")
        q, k, v = (t.unflatten(2, (HEADS, -1)).transpose(1, 2) for t in qkv.chunk(3, dim=-1))
        q, k = rotate(q), rotate(k)
        mixed = (q @ k.mT / math.sqrt(WIDTH // HEADS)).softmax(-1) @ v
        mixed = linear(mixed.transpose(1, 2).flatten(2), f"{b}.attn.proj")
        x = x + mixed * p.get(f"{b}.ls1.gamma", torch.ones(1))
        if f"{b}.mlp.w12.weight" in p:
            gate, hidden = linear(norm(x, f"{b}.norm2"), f"{b}.mlp.w12").chunk(2, dim=-1)
            hidden = linear(F.silu(gate) * hidden, f"{b}.mlp.w3")
        else:
            hidden = F.gelu(linear(norm(x, f"{b}.norm2"), f"{b}.mlp.fc1"))
            hidden = linear(hidden, f"{b}.mlp.fc2")
        x = x + hidden * p.get(f"{b}.ls2.gamma", torch.ones(1))
    return norm(x, "norm")


def features_of(model: str, tensors: dict[str, Tensor], image: Tensor, folder) -> Tensor:
    torch.save(tensors, folder / "published.pth")
    backbone = TimmViT(model, str(folder / "published.pth"))
    backbone.setup()
    return backbone(image).flatten(2).mT


@pytest.mark.parametrize(("size", "grid"), [((224, 224), (28, 28)), ((32, 80), (4, 10))])
@pytest.mark.parametrize("model", ["vit_small_patch8_224.dino", "vit_base_patch8_224.dino"])
def test_dino(model, size, grid, draw, tmp_path):
    p = {**published(draw, 8), "pos_embed": draw(1, 1 + 28 * 28, WIDTH)}
    image = torch.rand(2, 3, *size)
    square = p["pos_embed"][:, 1:].mT.unflatten(2, (28, 28))
    resampled = F.interpolate(square, grid, mode="bicubic", antialias=True).flatten(2).mT
    tokens = torch.cat([p["cls_token"].expand(2, -1, -1), patches(p, image)], dim=1)
    tokens = tokens + torch.cat([p["pos_embed"][:, :1], resampled], dim=1)
    expected = blocks(p, tokens, eps=1e-6)[:, 1:]
    found = features_of(model, p, image, tmp_path)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_dinov2_with_registers(draw, tmp_path):
    p = with_scales(draw, published(draw, 14))
    p |= {"pos_embed": draw(1, 1 + 37 * 37, WIDTH), "register_tokens": draw(1, 4, WIDTH)}
    image = torch.rand(1, 3, 518, 518)
    tokens = torch.cat([p["cls_token"], patches(p, image)], dim=1) + p["pos_embed"]
    tokens = torch.cat([tokens[:, :1], p["register_tokens"], tokens[:, 1:]], dim=1)
    expected = blocks(p, tokens, eps=1e-6)[:, 5:]
    found = features_of("vit_small_patch14_reg4_dinov2", p, image, tmp_path)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_dinov2_giant_with_its_gated_blocks(draw, tmp_path):
    p = with_scales(draw, published(draw, 14)) | {"pos_embed": draw(1, 1 + 37 * 37, WIDTH)}
    p = {name: tensor for name, tensor in p.items() if ".mlp." not in name}
    for i in range(DEPTH):
        for name, rows, columns in (("w12", 128, WIDTH), ("w3", WIDTH, 64)):
            p[f"blocks.{i}.mlp.{name}.weight"] = draw(rows, columns)
            p[f"blocks.{i}.mlp.{name}.bias"] = draw(rows)
    image = torch.rand(1, 3, 518, 518)
    tokens = torch.cat([p["cls_token"], patches(p, image)], dim=1) + p["pos_embed"]
    expected = blocks(p, tokens, eps=1e-6)[:, 1:]
    found = features_of("vit_giant_patch14_dinov2", p, image, tmp_path)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def dinov3(draw) -> dict[str, Tensor]:
    p = with_scales(draw, published(draw, 16))
    p |= {"storage_tokens": draw(1, 4, WIDTH), "rope_embed.periods": torch.tensor([1.0, 9.5])}
    for i in range(DEPTH):
        p[f"blocks.{i}.attn.qkv.bias_mask"] = torch.ones(3 * WIDTH)
        p[f"blocks.{i}.attn.qkv.bias"][WIDTH : 2 * WIDTH] = 0  # as `bias_mask` does to keys
    return p


def rotation(periods: Tensor, rows: int, columns: int) -> Rotate:
    """Patches by where they lie in [-1, 1], rows first; class and storage tokens stay."""
    y, x = ((torch.arange(n) + 0.5) / n * 2 - 1 for n in (rows, columns))
    places = torch.stack(torch.meshgrid(y, x, indexing="ij"), dim=-1).flatten(0, 1)
    angles = (2 * math.pi * places[:, :, None] / periods).flatten(1)

    def rotate(q: Tensor) -> Tensor:
        first, second = q[:, :, 5:].chunk(2, dim=-1)
        turned = (
            first * angles.cos() - second * angles.sin(),
            second * angles.cos() + first * angles.sin(),
        )
        return torch.cat([q[:, :, :5], torch.cat(turned, dim=-1)], dim=2)

    return rotate


@pytest.mark.parametrize("has_biases", [True, False])
def test_dinov3(has_biases, draw, tmp_path, capsys):
    p, name = dinov3(draw), "vit_small_patch16_dinov3"
    for i in range(DEPTH):
        p[f"blocks.{i}.attn.qkv.bias"] *= float(has_biases)
    image = torch.rand(1, 3, 48, 80)
    tokens = torch.cat([p["cls_token"], p["storage_tokens"], patches(p, image)], dim=1)
    rotate = rotation(p["rope_embed.periods"], 3, 5)
    expected = blocks(p, tokens, eps=1e-5, rotate=rotate)[:, 5:]
    found = features_of(name + "_qkvb" * has_biases, p, image, tmp_path)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    assert capsys.readouterr().out == ""


def test_biases_are_not_dropped(draw, tmp_path):
    with pytest.raises(WeightsError, match=r"blocks\.0\.attn\.qkv\.bias is not 0.*with _qkvb\."):
        features_of("vit_small_patch16_dinov3", dinov3(draw), torch.rand(1, 3, 32, 32), tmp_path)


def test_a_file_of_other_patches_is_refused(draw, tmp_path):
    p = {**published(draw, 16), "pos_embed": draw(1, 1 + 14 * 14, WIDTH)}
    with pytest.raises(
        WeightsError, match=r"published\.pth \(patches of 16 px, vit_small_patch8_224\.dino has 8"
    ):
        features_of("vit_small_patch8_224.dino", p, torch.rand(1, 3, 32, 32), tmp_path)


def test_heads_are_left_out_and_other_names_refused(draw, tmp_path):
    p = {**published(draw, 8), "pos_embed": draw(1, 1 + 28 * 28, WIDTH)}
    image = torch.rand(1, 3, 32, 32)
    plain = features_of("vit_small_patch8_224.dino", p, image, tmp_path)
    named = {**p, "head.weight": draw(7, WIDTH), "head.bias": draw(7)}
    assert torch.equal(features_of("vit_small_patch8_224.dino", named, image, tmp_path), plain)
    with pytest.raises(WeightsError, match=r"\(unknown decoder\.weight\)"):
        features_of("vit_small_patch8_224.dino", {**p, "decoder.weight": draw(2)}, image, tmp_path)
