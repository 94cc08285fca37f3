from pathlib import Path

import numpy as np
import pytest
import torch

from relief.models.backbones.dinov2 import DINOv2
from relief.schema.errors import WeightsError
from relief.schema.parts import Backbone
from tests.contracts.backbone import BackboneContract

GOLDEN = Path(__file__).parents[3] / "golden" / "cause_tr.npz"


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN, allow_pickle=False) as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


@pytest.fixture
def weights(golden, tmp_path):
    prefix = "w/backbone."
    own = {n.removeprefix(prefix): t for n, t in golden.items() if n.startswith(prefix)}
    torch.save(own, tmp_path / "dinov2.pth")
    return str(tmp_path / "dinov2.pth")


def test_patch_tokens_are_the_published_ones(weights, golden):
    backbone = DINOv2(weights, num_heads=3)
    backbone.setup()
    backbone.setup()
    assert isinstance(backbone, Backbone)
    assert backbone.dim == 48
    features = backbone(golden["crop_u8"] / 255)
    expected = golden["backbone_tokens"][:, 1:].transpose(1, 2).unflatten(2, (23, 23))
    torch.testing.assert_close(features, expected, atol=1e-4, rtol=0)


def test_averaging_with_the_mirror_image(weights, golden):
    plain, averaged = DINOv2(weights, 3), DINOv2(weights, 3, average_mirror=True)
    plain.setup()
    averaged.setup()
    image = golden["crop_u8"] / 255
    expected = (plain(image) + plain(image.flip(-1)).flip(-1)) / 2
    torch.testing.assert_close(averaged(image), expected, atol=1e-5, rtol=0)
    assert not torch.allclose(averaged(image), plain(image), atol=1e-3)


def test_missing_weights(tmp_path):
    with pytest.raises(WeightsError, match="no such file"):
        DINOv2(str(tmp_path / "none.pth")).setup()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "register_tokens",
            r"register tokens\)\. Use TimmViT, model such as vit_base_patch14_reg4_dinov2",
        ),
        ("blocks.0.mlp.w12.weight", r"gated\)\. Use TimmViT, model vit_giant_patch14_dinov2"),
    ],
)
def test_published_networks_of_another_kind_are_left_to_timm(weights, name, message):
    torch.save({**torch.load(weights), name: torch.zeros(1, 4, 48)}, weights)
    with pytest.raises(WeightsError, match=rf"dinov2\.pth \(.*{message}"):
        DINOv2(weights, num_heads=3).setup()


def test_patches_of_another_size_are_left_to_timm(weights):
    torch.save(
        {**torch.load(weights), "patch_embed.proj.weight": torch.zeros(48, 3, 16, 16)}, weights
    )
    with pytest.raises(WeightsError, match=r"dinov2\.pth \(patches of 16 px\)\. Use TimmViT\."):
        DINOv2(weights, num_heads=3).setup()


class TestDINOv2(BackboneContract):
    @pytest.fixture
    def backbone(self, weights):
        return DINOv2(weights, num_heads=3)
