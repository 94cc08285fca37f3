from __future__ import annotations

from pathlib import Path

import huggingface_hub
import pytest

from relief.models.weights.configured import (
    command_that_gets,
    is_hub_id,
    is_on_disk,
    missing_weights,
    needed_weights,
)
from relief.models.weights.sources import WeightSource
from relief.schema.errors import UsageError


def test_finds_known_and_unknown_weights_in_configurations_and_those_they_name(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("inner.yaml").write_text("init_args: {model: weights/depth_pro, other: [1, null, a/b]}\n")
    Path("outer.yaml").write_text("a: inner.yaml\nb: [weights/spidepth/depth.pth, own.pt]\n")
    found = needed_weights(Path("outer.yaml"))
    names = {path: source.name if source else None for path, source in found.items()}
    assert names == {
        "weights/depth_pro": "depth_pro",
        "weights/spidepth/depth.pth": "spidepth/depth",
        "own.pt": None,
    }


@pytest.mark.parametrize("content", [None, b"a: [", b"\xff\xfe\x00"])
def test_unreadable_configuration_is_told(tmp_path, content):
    if content is not None:
        (tmp_path / "c.yaml").write_bytes(content)
    with pytest.raises(UsageError, match="cannot read configuration"):
        needed_weights(tmp_path / "c.yaml")


def test_published_weights_that_are_not_there_are_missing(tmp_path):
    sources = (
        WeightSource("net/encoder", "MIT", "none", "https://example.org/e.pth"),
        WeightSource("model", "MIT", "none", files={"config.json": "https://example.org/c"}),
    )
    file, folder = tmp_path / "net" / "encoder.safetensors", tmp_path / "model"
    values = {"a": {"path": str(file)}, "b": [{"model": str(folder)}, "mine.pth", 3, None]}
    assert missing_weights(values, sources) == sorted([str(file), str(folder)])
    file.parent.mkdir()
    file.write_bytes(b"")
    assert missing_weights(values, sources) == [str(folder)]
    folder.mkdir()
    (folder / "config.json").write_bytes(b"{}")
    assert missing_weights(values, sources) == []


def test_folders_of_data_and_outputs_may_be_called_like_a_model():
    values = {
        "out": "outputs/depth_pro",
        "data": {
            "init_args": {"root": "/data/depth_pro", "depth": {"root": "x/zoedepth_nyu_kitti"}}
        },
    }
    assert missing_weights(values) == []
    assert missing_weights({"depth": {"init_args": {"model": "none/depth_pro"}}}) == [
        "none/depth_pro"
    ]


def test_command_lines_in_a_configuration_are_read(tmp_path):
    config = tmp_path / "study.yaml"
    config.write_text(
        "label_args: [--out, a/depth_pro, --model.init_args.depth.model, b/depth_pro]\n"
    )
    assert list(needed_weights(config)) == ["b/depth_pro"]


def test_models_of_hugging_face_and_own_folders_are_named_too(tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("a: {model: apple/DepthPro-hf}\nb: {model: vit_small, weights: other/net}\n")
    assert needed_weights(config) == {"apple/DepthPro-hf": None}
    assert missing_weights({"model": "apple/DepthPro-hf"}) == []  # the part itself looks for it


def test_configurations_may_name_each_other_in_circles(tmp_path):
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    one.write_text(f"a: {one}\nb: {other}\nc: x.pth\n")
    other.write_text(f"a: {one}\nb: {other}\nc: y.pth\n")
    assert list(needed_weights(one)) == ["y.pth", "x.pth"]


def test_the_command_gets_what_is_missing(tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("weights: weights/dinov2_vitb14.safetensors\n")
    command = "python -m relief.models.weights get"
    named, other = "weights/dinov2_vitb14.safetensors", "weights/dinov2_vits14.safetensors"
    assert command_that_gets([named], [recipe]) == f"{command} --config {recipe}"
    assert command_that_gets([other], [recipe]) == f"{command} {other}"
    assert command_that_gets([named, other], []) == f"{command} {named} {other}"


def test_what_is_on_the_disk(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        huggingface_hub,
        "try_to_load_from_cache",
        lambda model, file: seen.append((model, file)) or "/cache/config.json",
    )
    assert is_on_disk(str(tmp_path), None)
    assert not is_on_disk(str(tmp_path / "none"), None)
    assert seen == []
    assert is_on_disk("owner/model", None)
    assert seen == [("owner/model", "config.json")]


def test_identifiers_of_hugging_face():
    assert is_hub_id("apple/DepthPro-hf")
    for other in ("/apple/DepthPro-hf", "a/b/c", "depth_pro", "./depth_pro", "a/b.pth"):
        assert not is_hub_id(other)
