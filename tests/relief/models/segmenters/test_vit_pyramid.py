import pytest
import timm
import torch

from relief.models.segmenters.vit_pyramid import VitPyramid
from relief.schema.errors import WeightsError

SMALL = {"depth": 1, "embed_dim": 32, "num_heads": 2}
BODIES = ["vit_small_patch14_dinov2", "vit_small_patch16_dinov3"]


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("frozen", [True, False])
def test_maps_and_gradients(name, frozen):
    pyramid = VitPyramid(name, frozen=frozen, width=16, options=SMALL)
    maps = pyramid(torch.rand(2, 3, 64, 128))
    assert [tuple(level.shape) for level in maps.values()] == [
        (2, 16, 16, 32), (2, 16, 8, 16), (2, 16, 4, 8), (2, 16, 2, 4), (2, 16, 1, 2)
    ]  # fmt: skip
    sum(level.sum() for level in maps.values()).backward()
    with_gradient = [p.grad is not None for p in pyramid.net.body.parameters()]
    assert any(with_gradient) != frozen
    assert pyramid.net.body.training != frozen
    assert all(p.grad is not None for p in pyramid.stages[0].parameters())


@pytest.mark.parametrize("name", BODIES)
def test_weights_of_timm_load(name, tmp_path):
    torch.manual_seed(1)
    judge = timm.create_model(name, num_classes=0, dynamic_img_size=True, **SMALL).eval()
    torch.save(judge.state_dict(), tmp_path / "body.pth")
    pyramid = VitPyramid(name, weights=tmp_path / "body.pth", width=16, options=SMALL).eval()
    pyramid.setup()
    image = torch.rand(1, 3, 32, 64)
    patch = pyramid.net.patch_px
    resized = torch.nn.functional.interpolate(
        image, size=(2 * patch, 4 * patch), mode="bilinear", antialias=True
    )
    tokens = judge.forward_features(resized)[0, judge.num_prefix_tokens :]
    expected = tokens.T.reshape(32, 2, 4)
    torch.testing.assert_close(pyramid.net(image)["last"][0], expected)


def test_weights_of_another_body(tmp_path):
    torch.save({"norm.weight": torch.ones(8)}, tmp_path / "other.pth")
    pyramid = VitPyramid(BODIES[0], weights=tmp_path / "other.pth", width=16, options=SMALL)
    with pytest.raises(WeightsError, match="cannot load weights"):
        pyramid.setup()
