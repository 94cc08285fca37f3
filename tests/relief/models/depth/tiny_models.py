"""Depth models of the transformers library, a few thousand random weights each."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

transformers = pytest.importorskip("transformers")

VIT = {
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 37,
}


def save(model: torch.nn.Module, folder: Path) -> None:
    """Fresh weights are so small that depth would be constant: larger ones see the image."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                fan_in = parameter[0].numel()
                parameter.normal_(0, 1.5 * fan_in**-0.5, generator=generator)
    model.save_pretrained(folder)


def depth_anything(folder: Path, kind: str = "relative") -> None:
    config = transformers.DepthAnythingConfig(
        backbone_config=transformers.Dinov2Config(
            **VIT,
            image_size=56,
            patch_size=14,
            out_indices=[1, 2, 3, 4],
            apply_layernorm=True,
            reshape_hidden_states=False,
        ),
        reassemble_hidden_size=32,
        patch_size=14,
        neck_hidden_sizes=[16, 16, 16, 16],
        fusion_hidden_size=16,
        head_hidden_size=8,
        depth_estimation_type=kind,
        max_depth=80 if kind == "metric" else 1,
    )
    save(transformers.DepthAnythingForDepthEstimation(config), folder)
    transformers.DPTImageProcessor(
        size={"height": 56, "width": 56}, keep_aspect_ratio=True, ensure_multiple_of=14
    ).save_pretrained(folder)


def zoedepth(folder: Path) -> None:
    config = transformers.ZoeDepthConfig(
        backbone_config=transformers.BeitConfig(
            **VIT,
            image_size=64,
            patch_size=16,
            out_features=["stage1", "stage2", "stage3", "stage4"],
            reshape_hidden_states=False,
        ),
        neck_hidden_sizes=[16, 16, 16, 16],
        fusion_hidden_size=16,
        bottleneck_features=16,
        num_out_features=[8, 8, 8, 8],
        bin_embedding_dim=16,
        num_attractors=[4, 2, 2, 1],
        bin_configurations=[{"n_bins": 16, "min_depth": 0.1, "max_depth": 10.0, "name": "nyu"}],
    )
    save(transformers.ZoeDepthForDepthEstimation(config), folder)
    transformers.ZoeDepthImageProcessor(
        size={"height": 64, "width": 64}, ensure_multiple_of=32
    ).save_pretrained(folder)


def depth_pro(folder: Path) -> None:
    vit = transformers.Dinov2Config(**VIT, image_size=16, patch_size=8)
    config = transformers.DepthProConfig(
        patch_size=16,
        fusion_hidden_size=16,
        intermediate_hook_ids=[1, 0],
        intermediate_feature_dims=[16, 16],
        scaled_images_ratios=[0.5, 1.0],
        scaled_images_overlap_ratios=[0.0, 0.2],
        scaled_images_feature_dims=[16, 16],
        num_fov_head_layers=1,
        image_model_config=vit,
        patch_model_config=vit,
        fov_model_config=vit,
        use_fov_model=True,
    )
    model = transformers.DepthProForDepthEstimation(config)
    with torch.no_grad():
        model.head.layers[-2].bias.fill_(5.0)  # else inverse depth is cut off at 0 everywhere
        model.fov_model.head.layers[-1].bias.fill_(60.0)  # a field of view in degrees
    save(model, folder)
    transformers.DepthProImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)


def dpt(folder: Path) -> None:
    config = transformers.DPTConfig(
        **VIT,
        image_size=64,
        patch_size=16,
        is_hybrid=False,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[16, 16, 16, 16],
        fusion_hidden_size=16,
        reassemble_factors=[4, 2, 1, 0.5],
    )
    save(transformers.DPTForDepthEstimation(config), folder)
    transformers.DPTImageProcessor(size={"height": 64, "width": 64}).save_pretrained(folder)


def glpn(folder: Path) -> None:
    config = transformers.GLPNConfig(
        hidden_sizes=[8, 8, 16, 16],
        depths=[1, 1, 1, 1],
        num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=16,
    )
    save(transformers.GLPNForDepthEstimation(config), folder)
    transformers.GLPNImageProcessor().save_pretrained(folder)
