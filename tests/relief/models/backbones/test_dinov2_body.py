import pytest
import torch
from timm.models.vision_transformer import VisionTransformer

from relief.models.backbones.dinov2_body import DINOv2Body
from relief.models.backbones.provenance import no_weights
from relief.schema.errors import WeightsError


@pytest.fixture
def state_dict():
    vit = VisionTransformer(
        img_size=28, patch_size=7, embed_dim=8, depth=2, num_heads=2, init_values=1.0, num_classes=0
    )
    return dict(vit.state_dict())


def test_sizes_come_from_the_tensors(state_dict):
    body = DINOv2Body({**state_dict, "mask_token": torch.zeros(1, 8)}, num_heads=2)
    assert (body.width, body.patch_px, body.position_grid) == (8, 7, 4)
    assert len(body.vit.blocks) == 2
    assert body(torch.rand(3, 3, 14, 35)).shape == (3, 1 + 2 * 5, 8)


def test_learned_positions_are_used_as_they_are(state_dict):
    body = DINOv2Body(state_dict, num_heads=2)
    assert body.positions((4, 4)) is body.vit.pos_embed


def test_other_grids_are_enlarged_at_the_published_scale_factor(state_dict):
    body = DINOv2Body(state_dict, num_heads=2)
    square = body.vit.pos_embed[:, 1:].reshape(1, 4, 4, 8).permute(0, 3, 1, 2)
    with torch.no_grad():
        found = body.positions((6, 9))
        # The factor is (n + 0.1) / 4, not n / 4: positions are sampled at 4 / (n + 0.1) apart.
        exact = torch.nn.functional.interpolate(square, (6, 9), mode="bicubic")
    assert torch.equal(found[:, :1], body.vit.pos_embed[:, :1])
    difference = found[:, 1:] - exact.flatten(2).mT
    assert 0 < difference.abs().max() < 0.05


def test_heads_must_divide_the_width(state_dict):
    with pytest.raises(WeightsError, match="width 8 is no multiple of 3 heads"):
        DINOv2Body(state_dict, num_heads=3)


def test_a_part_without_weights_has_nothing_to_tell():
    assert no_weights() == {"weights": {}, "supervision": (), "notes": ()}
    assert no_weights()["weights"] is not no_weights()["weights"]
