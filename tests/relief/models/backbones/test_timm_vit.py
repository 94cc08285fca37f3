import pytest
import timm
import torch

from relief.models.backbones.timm_vit import UNKNOWN_SUPERVISION, TimmViT
from relief.models.weights.files import sha256_of
from relief.schema.errors import UsageError, WeightsError
from relief.schema.parts import Backbone
from tests.contracts.backbone import BackboneContract


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "test_vit.pth"
    model = timm.create_model("test_vit", num_classes=7)
    torch.save(model.state_dict(), path)
    return str(path), model.eval()


def test_the_patch_tokens_of_a_saved_model(weights):
    path, model = weights
    backbone = TimmViT("test_vit", path)
    backbone.setup()
    backbone.setup()
    assert isinstance(backbone, Backbone)
    assert backbone.patch_px == model.patch_embed.patch_size[0]
    image = torch.rand(2, 3, 160, 160)
    mean = torch.tensor(model.pretrained_cfg["mean"]).view(1, 3, 1, 1)
    std = torch.tensor(model.pretrained_cfg["std"]).view(1, 3, 1, 1)
    with torch.no_grad():
        tokens = model.forward_features((image - mean) / std)[:, model.num_prefix_tokens :]
    features = backbone(image)
    assert features.shape == (2, backbone.dim, 10, 10)
    assert torch.allclose(features.flatten(2).transpose(1, 2), tokens, atol=1e-5)
    assert backbone.provenance["weights"] == {"features": sha256_of(path)}


def test_windows_of_other_shapes(weights):
    backbone = TimmViT("test_vit", weights[0])
    backbone.setup()
    assert backbone(torch.rand(1, 3, 64, 320)).shape[2:] == (4, 20)
    with pytest.raises(UsageError, match=r"whole patches of 16 px: test_vit\. Set window_px 320"):
        backbone(torch.rand(1, 3, 322, 322))


@pytest.mark.parametrize(
    ("name", "patch_px", "prefix"),
    [("vit_tiny_patch16_224.augreg_in21k", 16, 1), ("vit_small_patch16_dinov3", 16, 5)],
)
def test_other_families_by_name(name, patch_px, prefix):
    backbone = TimmViT(name, random_seed=0)
    backbone.setup()
    assert backbone.patch_px == patch_px
    assert backbone.vit.num_prefix_tokens == prefix
    assert backbone(torch.rand(1, 3, 32, 64)).shape == (1, backbone.dim, 2, 4)


def test_random_weights_by_seed():
    image = torch.rand(1, 3, 32, 32)
    features = []
    for seed in (0, 0, 1):
        backbone = TimmViT("test_vit", random_seed=seed)
        backbone.setup()
        features.append(backbone(image))
    assert torch.equal(features[0], features[1])
    assert not torch.equal(features[0], features[2])


def test_what_is_wrong_is_said(weights, tmp_path):
    with pytest.raises(WeightsError, match=r"no weights: TimmViT test_vit\. Give"):
        TimmViT("test_vit").setup()
    with pytest.raises(UsageError, match="not a vision transformer of timm: vit_none"):
        TimmViT("vit_none", random_seed=0).setup()
    with pytest.raises(WeightsError, match=r"cannot load weights: .*test_vit\.pth"):
        TimmViT("test_vit2", weights[0]).setup()


@pytest.mark.parametrize(
    "name",
    [
        "test_resnet",
        "swin_tiny_patch4_window7_224",  # a grid, no tokens
        "deit_tiny_distilled_patch16_224",  # two class tokens, of which its head wants both
        "vit_tiny_r_s16_p8_224",  # patches of a map of a convolutional network
        "vitamin_small_224",
    ],
)
def test_other_networks_are_told_in_a_line(name):
    with pytest.raises(UsageError, match=f"not a vision transformer of timm: {name}\\. See"):
        TimmViT(name, random_seed=0).setup()


@pytest.mark.parametrize(
    ("name", "patch_px", "dim"),
    [
        ("vit_small_patch8_224.dino", 8, 384),
        ("vit_base_patch8_224.dino", 8, 768),
        ("vit_giant_patch14_dinov2", 14, 1536),
        ("vit_large_patch14_reg4_dinov2", 14, 1024),
        ("vit_7b_patch16_dinov3", 16, 4096),
    ],
)
def test_published_names_are_networks_of_timm(name, patch_px, dim):
    with torch.device("meta"):
        backbone = TimmViT(name, random_seed=0)
        backbone.setup()
        features = backbone(torch.zeros(1, 3, 2 * patch_px, 3 * patch_px))
    assert features.shape == (1, dim, 2, 3)
    assert (backbone.patch_px, backbone.dim) == (patch_px, dim)


def test_supervision_is_unknown_unless_it_is_told(weights):
    def told(**given):
        backbone = TimmViT("test_vit", weights[0], **given)
        backbone.setup()
        return backbone.provenance["supervision"]

    assert told() == (UNKNOWN_SUPERVISION,)
    assert UNKNOWN_SUPERVISION.startswith("unknown: ")
    assert told(supervision="ImageNet labels") == ("ImageNet labels",)
    for nothing in (None, "", "None", "null"):
        assert told(supervision=nothing) == ()


def test_random_values_learned_nothing():
    backbone = TimmViT("test_vit", random_seed=0)
    backbone.setup()
    assert backbone.provenance == {"weights": {}, "supervision": (), "notes": ()}


class TestTimmViT(BackboneContract):
    size = (10, 10)

    @pytest.fixture
    def backbone(self, weights):
        return TimmViT("test_vit", weights[0])
