from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from relief.models.depth.transformers_depth import TransformersDepth
from relief.schema.errors import ReadError, UsageError, WeightsError
from relief.schema.parts import DepthModel

transformers = pytest.importorskip("transformers")
from tests.contracts.depth import DepthContract  # noqa: E402
from tests.relief.models.depth.tiny_models import (  # noqa: E402
    depth_anything,
    depth_pro,
    dpt,
    glpn,
    zoedepth,
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    for make in (depth_anything, zoedepth, depth_pro):
        make(root / make.__name__)
    depth_anything(root / "metric", "metric")
    return {path.name: path for path in root.iterdir()}


@pytest.fixture
def image() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(2, 3, 5, 7, generator=generator)
    return F.interpolate(coarse, (60, 90), mode="bilinear").clamp(0, 1)


@pytest.mark.parametrize(
    ("name", "inverse"),
    [("depth_anything", True), ("metric", False), ("zoedepth", False), ("depth_pro", False)],
)
def test_every_family_gives_relative_depth(folders, image, name, inverse):
    model = TransformersDepth(folders[name])
    model.setup()
    assert isinstance(model, DepthModel)
    assert model.inverse is inverse
    depth = model.relative_depth(image, (48, 72))
    assert depth.shape == (2, 1, 48, 72)
    assert depth.dtype == torch.float32
    for one in depth:
        assert one.min() == 0
        assert one.max() == 1
    values = model(image, (48, 72))
    order, expected = depth[0].flatten().argsort(), values[0].flatten()
    along = expected[order].diff()
    assert (along <= 1e-6).all() if inverse else (along >= -1e-6).all()
    assert torch.equal(depth[1:], model.relative_depth(image[1:], (48, 72)))


@pytest.mark.parametrize("name", ["depth_anything", "metric", "zoedepth", "depth_pro"])
@pytest.mark.parametrize("size", [(60, 90), (97, 61)])
def test_values_are_those_of_the_librarys_own_pipeline(folders, name, size):
    """The judge: the library's pipeline, on the same picture."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(1, 3, 5, 7, generator=generator)
    image = F.interpolate(coarse, size, mode="bilinear").clamp(0, 1)
    picture = Image.fromarray((image[0] * 255).round().byte().permute(1, 2, 0).numpy())
    pipeline = transformers.pipeline("depth-estimation", model=str(folders[name]), device="cpu")
    judge = pipeline(picture)["predicted_depth"].reshape(size)
    model = TransformersDepth(folders[name])
    model.setup()
    values = model(image, size)[0, 0]
    assert values.std() > 1e-3 * values.abs().mean()
    torch.testing.assert_close(values, judge, rtol=1e-4, atol=1e-4)


def test_direction_can_be_set(folders, image):
    near_is_large = TransformersDepth(folders["zoedepth"], inverse=True)
    near_is_small = TransformersDepth(folders["zoedepth"])
    near_is_large.setup()
    near_is_small.setup()
    size = (30, 45)
    expected = 1 - near_is_small.relative_depth(image, size)
    assert torch.allclose(near_is_large.relative_depth(image, size), expected, atol=1e-5)


def test_far_depth_can_be_cut(folders, image):
    model = TransformersDepth(folders["zoedepth"])
    model.setup()
    values = model(image[:1], (30, 45))
    model.max_depth_m = float(values.median())
    assert (model.relative_depth(image[:1], (30, 45)) == 1).float().mean() >= 0.5


def test_description_names_hashes_and_no_paths(folders):
    model = TransformersDepth(folders["depth_anything"])
    model.setup()
    text = json.dumps(model.description)
    assert str(folders["depth_anything"].parent) not in text
    files = {"config.json", "preprocessor_config.json", "model.safetensors"}
    assert set(model.provenance["weights"]) == files
    assert model.provenance["notes"] == ("depth is 1 - minmax of inverse depth",)


@pytest.mark.parametrize("name", ["depth_anything", "metric", "zoedepth"])
@pytest.mark.parametrize("size", [(10, 400), (400, 10)])
def test_a_strip_is_refused_alone(folders, image, name, size):
    model = TransformersDepth(folders[name])
    model.setup()
    strip = torch.rand(1, 3, *size)
    with pytest.raises(ReadError, match=f"cannot take the image: {size[0]}x{size[1]} px") as caught:
        model.relative_depth(strip, size)
    assert "\n" not in str(caught.value)
    assert model.relative_depth(image, (48, 72)).max() == 1


@pytest.mark.parametrize(("make", "inverse"), [(dpt, True), (glpn, False)])
def test_older_families_are_turned_so_that_near_is_zero(tmp_path, image, make, inverse):
    """MiDaS' DPT learned disparity, GLPN metres."""
    make(tmp_path)
    model = TransformersDepth(tmp_path)
    model.setup()
    values, depth = model(image[:1], (48, 72)), model.relative_depth(image[:1], (48, 72))
    nearest = values.argmax() if inverse else values.argmin()
    assert depth.flatten()[nearest] == 0
    assert values.std() > 0


def refusal(folder: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        TransformersDepth(folder).setup()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_missing_folder_says_what_to_type(tmp_path):
    known = tmp_path / "depth_anything_v2_small"
    assert refusal(known).endswith(f"Run `python -m relief.models.weights get {known}`.")
    assert "`hf download`" in refusal(tmp_path / "none")


def test_missing_and_damaged_files_are_told_in_a_line(tmp_path):
    depth_anything(tmp_path)
    weights = tmp_path / "model.safetensors"
    tensors = load_file(weights)
    del tensors["head.conv3.weight"]
    save_file(tensors, weights, metadata={"format": "pt"})
    assert "no head.conv3.weight" in refusal(tmp_path)
    depth_anything(tmp_path)
    tensors = load_file(weights)
    tensors["head.conv3.weight"][:] = float("nan")
    save_file(tensors, weights, metadata={"format": "pt"})
    assert "NaN or infinite values in head.conv3.weight" in refusal(tmp_path)
    weights.write_bytes(weights.read_bytes()[:1000])
    refusal(tmp_path)
    weights.unlink()
    refusal(tmp_path)


def test_newer_folders_have_a_processor_config(tmp_path):
    depth_anything(tmp_path)
    old = tmp_path / "preprocessor_config.json"
    new = tmp_path / "processor_config.json"
    new.write_text(json.dumps({"image_processor": json.loads(old.read_text())}))
    old.unlink()
    model = TransformersDepth(tmp_path)
    model.setup()
    files = {"config.json", "processor_config.json", "model.safetensors"}
    assert set(model.provenance["weights"]) == files
    new.unlink()
    refusal(tmp_path)


@pytest.mark.parametrize(
    ("file", "name", "value"),
    [
        ("config.json", "fusion_hidden_size", "x"),
        ("config.json", "neck_hidden_sizes", None),
        ("config.json", "backbone_config", [1]),
        ("preprocessor_config.json", "size", "x"),
        ("preprocessor_config.json", "image_mean", ["a", "b", "c"]),
    ],
)
def test_values_of_another_type_are_told_in_a_line(tmp_path, file, name, value):
    depth_anything(tmp_path)
    path = tmp_path / file
    path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))
    assert f"cannot load weights: {tmp_path} (" in refusal(tmp_path)


@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json"])
def test_code_in_the_folder_is_never_run(tmp_path, monkeypatch, file):
    """Not even for somebody who says yes to whatever the library asks."""
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    depth_anything(tmp_path)
    trace = tmp_path / "it_ran"
    (tmp_path / "own.py").write_text(f"open({str(trace)!r}, 'w')\n")
    path = tmp_path / file
    own = {
        "config.json": {"AutoConfig": "own.C", "AutoModelForDepthEstimation": "own.M"},
        "preprocessor_config.json": {"AutoImageProcessor": "own.P"},
    }
    values = {"model_type": "own", "image_processor_type": "OwnProcessor", "auto_map": own[file]}
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    assert "needs code of its own" in refusal(tmp_path)
    assert not trace.exists()


def test_unknown_family_asks_for_the_direction(folders):
    model = TransformersDepth(folders["zoedepth"])
    model.setup()
    model.model.config.model_type = "other"
    with pytest.raises(UsageError, match="Set inverse"):
        model._known_direction()


class TestTransformersDepth(DepthContract):
    tolerance = 1.0  # the library resizes 8-bit pictures otherwise on a GPU than on the CPU

    @pytest.fixture(params=["depth_anything", "metric", "zoedepth", "depth_pro"])
    def depth_model(self, folders, request):
        return TransformersDepth(folders[request.param])
