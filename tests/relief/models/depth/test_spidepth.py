from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from relief.models.depth.spidepth import SPIdepth
from relief.models.weights.files import convert, sha256_of
from relief.ops.relative_depth import relative_at
from relief.schema.errors import ReadError, UsageError, WeightsError
from relief.schema.parts import DepthModel
from tests.contracts.depth import DepthContract

GOLDEN = Path(__file__).parents[3] / "golden" / "spidepth.npz"


@pytest.fixture(scope="module")
def golden() -> dict[str, Tensor]:
    with np.load(GOLDEN, allow_pickle=False) as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def state(golden: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in golden.items() if n.startswith(prefix)}


@pytest.fixture(scope="module")
def model(golden) -> SPIdepth:
    return SPIdepth.from_state_dicts(state(golden, "encoder/"), state(golden, "depth/"), 16)


@pytest.fixture(scope="module")
def image(golden) -> Tensor:
    return golden["image_u8"].float() / 255


def test_depth_in_metres_is_the_published_one(model, golden, image):
    assert (model(image) - golden["depth"]).abs().max() < 1e-3


def test_flip_average_is_the_published_one(model, golden, image):
    assert (model.flip_averaged(image) - golden["depth_flip_average"]).abs().max() < 1e-3


def test_relative_depth_is_the_published_one(model, golden, image):
    depth = model.relative_depth(image, (128, 256))
    assert depth.shape == (1, 1, 128, 256)
    assert (depth[0, 0] - golden["depth_normalised_128x256"]).abs().max() < 1e-4


@pytest.fixture
def files(golden, tmp_path) -> tuple[Path, Path]:
    torch.save({**state(golden, "encoder/"), "height": 160, "width": 512}, tmp_path / "encoder.pth")
    torch.save(state(golden, "depth/"), tmp_path / "depth.pth")
    return tmp_path / "encoder.pth", tmp_path / "depth.pth"


def test_published_files_load_in_setup_and_resize_to_the_networks_size(files, golden, image):
    model = SPIdepth(*files, input_size=(160, 512), patch_size=16)
    assert model.unet is None
    model.setup()
    assert isinstance(model, DepthModel)
    large = image.repeat_interleave(2, -1).repeat_interleave(2, -2)
    depth = model.relative_depth(large, (128, 256))
    assert (depth[0, 0] - golden["depth_normalised_128x256"]).abs().mean() < 0.1
    hashes = {"encoder": sha256_of(files[0]), "decoder": sha256_of(files[1])}
    assert model.provenance["weights"] == hashes
    assert "ImageNet" in model.provenance["supervision"][0]
    assert str(files[0].parent) not in json.dumps(model.description)


def test_images_reach_the_networks_size_as_pil_resizes_them(golden):
    """The judge: PIL's LANCZOS on the picture, then the network on what it gave."""
    network = SPIdepth.from_state_dicts(
        state(golden, "encoder/"), state(golden, "depth/"), 16, input_size=(160, 512)
    )
    rng = np.random.default_rng(0)
    large = rng.integers(0, 256, (3, 203, 601), np.uint8)  # detail that another filter would smear
    picture = Image.fromarray(large.transpose(1, 2, 0)).resize((512, 160), Image.Resampling.LANCZOS)
    seen = torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1)[None].float() / 255
    expected = relative_at(network.flip_averaged(seen), (80, 240))
    depth = network.relative_depth(torch.from_numpy(large)[None].float() / 255, (80, 240))
    assert (depth - expected).abs().mean() < 1e-4  # bilinear: 5e-3, bicubic: 2e-3


def test_no_files_are_read_before_setup():
    model = SPIdepth("nowhere/encoder.pth", "nowhere/depth.pth")
    with pytest.raises(WeightsError, match="no such file"):
        model.setup()
    with pytest.raises(WeightsError, match="no depth weights given"):
        SPIdepth().setup()


def test_swapped_files_are_told_in_a_line(files):
    with pytest.raises(WeightsError, match="not SPIdepth's") as caught:
        SPIdepth(files[1], files[0], patch_size=16).setup()
    assert "\n" not in str(caught.value)


def test_other_patch_and_missing_tensors_are_refused(golden):
    encoder, decoder = state(golden, "encoder/"), state(golden, "depth/")
    with pytest.raises(WeightsError, match="patch of 16, expected 32"):
        SPIdepth.from_state_dicts(encoder, decoder)
    del encoder["decoder.final_conv.bias"]
    with pytest.raises(WeightsError, match=r"no decoder\.final_conv\.bias"):
        SPIdepth.from_state_dicts(encoder, decoder, 16)


def test_image_with_too_few_tokens_is_refused(model):
    with pytest.raises(ValueError, match="32 to 500 tokens"):
        model(torch.zeros(1, 3, 64, 64))


@pytest.mark.parametrize("size", [(10, 1000), (1000, 10), (64, 64), (1, 1), (1024, 1024)])
def test_an_image_without_the_right_number_of_tokens_is_refused_alone(model, size):
    with pytest.raises(ReadError, match=f"{size[0]}x{size[1]} px .*32 to 500 tokens") as caught:
        model.relative_depth(torch.zeros(1, 3, *size), (8, 8))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("size", "tokens"), [((64, 64), "2 x 2"), ((800, 1280), "25 x 40")])
def test_a_network_size_without_the_right_number_of_tokens_stops_in_setup(files, size, tokens):
    network = SPIdepth(*files, input_size=size, patch_size=16)
    with pytest.raises(UsageError, match=rf"{size[0]}, {size[1]}\] \(gives {tokens} tokens"):
        network.setup()
    with pytest.raises(UsageError):
        network.setup()


def test_feed_forward_layers_may_be_linear(golden):
    """The published body stores them as matrices; as 1x1 convolutions they compute the same."""
    encoder = {
        name: tensor.flatten(1) if ".mlp.fc" in name and tensor.ndim == 4 else tensor
        for name, tensor in state(golden, "encoder/").items()
    }
    linear = SPIdepth.from_state_dicts(encoder, state(golden, "depth/"), 16)
    image = golden["image_u8"].float() / 255
    assert (linear(image) - golden["depth"]).abs().max() < 1e-3


def test_converted_files_give_the_same_depth(files, golden, image, tmp_path):
    for name in ("encoder", "depth"):
        convert(tmp_path / f"{name}.pth", tmp_path / f"{name}.safetensors")
    converted = SPIdepth(
        tmp_path / "encoder.safetensors", tmp_path / "depth.safetensors", patch_size=16
    )
    converted.setup()
    original = reference(golden)
    for name, value in original.state_dict().items():
        assert torch.equal(converted.state_dict()[name], value), name
    # Where tensors lie in memory decides the last bit of a convolution.
    torch.testing.assert_close(converted(image), original(image), rtol=1e-6, atol=1e-5)


def reference(golden: dict[str, Tensor]) -> SPIdepth:
    return SPIdepth.from_state_dicts(state(golden, "encoder/"), state(golden, "depth/"), 16)


class TestSPIdepth(DepthContract):
    image_size = (128, 256)

    @pytest.fixture
    def depth_model(self, model):
        return model
