"""Labels from a depth cache are those from the network itself, and say the same of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from relief.formats.label_store import LabelStore
from relief.studies.cache_depth import main
from tests.label_runs import label_bytes, run_label
from tests.relief.models.depth.tiny_models import depth_anything

MODEL = "relief.models.depth.transformers_depth.TransformersDepth"


def cache(root: Path, model: Path, out: Path, short_side_px: int = 32, *options: str) -> None:
    """Keeps the depth of both splits."""
    config = model / "depth.yaml"
    config.write_text(f"class_path: {MODEL}\ninit_args:\n  model: {model}\n")
    for split in ("train", "val"):
        arguments = [
            *("--depth", str(config), "--root", str(root), "--split", split, "--out", str(out)),
            *("--short_side_px", str(short_side_px), "--device", "cpu", *options),
        ]
        assert main(arguments) == 0


@pytest.fixture
def network(tmp_path) -> Path:
    depth_anything(tmp_path / "model")
    return tmp_path / "model"


def test_labels_from_a_depth_cache_are_those_from_the_network(tiny_cityscapes, network, tmp_path):
    computed = (
        *("--data.init_args.depth", "null", "--model.init_args.depth", MODEL),
        *("--model.init_args.depth.init_args.model", str(network)),
    )
    assert run_label(tiny_cityscapes, tmp_path / "computed", *computed) == 0
    cache(tiny_cityscapes, network, tmp_path / "cache")
    read = ("--data.init_args.depth.init_args.root", str(tmp_path / "cache"))
    assert run_label(tiny_cityscapes, tmp_path / "read", *read) == 0

    one, other = (label_bytes(tmp_path / name) for name in ("computed", "read"))
    assert one.pop("manifest.json") != other.pop("manifest.json")
    assert one == other
    first, second = (LabelStore(tmp_path / name).manifest for name in ("computed", "read"))
    assert first.supervision == second.supervision
    assert first.supervision == ("depth: the depth network was trained with depth labels",)
    assert first.weights == second.weights
    assert set(first.weights) == {
        "depth/config.json",
        "depth/preprocessor_config.json",
        "depth/model.safetensors",
    }
    assert first.notes == second.notes
    assert second.parts["depth_files"]["model"] == "DepthAnythingForDepthEstimation"
    assert str(tmp_path) not in (tmp_path / "read" / "manifest.json").read_text()


def test_going_on_with_depth_that_was_made_otherwise_is_refused(
    tiny_cityscapes, network, tmp_path, capsys
):
    out, read = tmp_path / "out", ("--data.init_args.depth.init_args.root", str(tmp_path / "cache"))
    cache(tiny_cityscapes, network, tmp_path / "cache")
    assert run_label(tiny_cityscapes, out, *read) == 0
    before = label_bytes(out)
    assert run_label(tiny_cityscapes, out, *read) == 0
    cache(tiny_cityscapes, network, tmp_path / "cache", 16, "--overwrite", "true")
    assert run_label(tiny_cityscapes, out, *read) == 2
    told = "made with parts.depth_files.short_side_px=32, this run has "
    assert told in capsys.readouterr().err
    assert label_bytes(out) == before


def test_depth_of_unknown_origin_is_said_to_be(tiny_cityscapes, tmp_path):
    option = ("--data.init_args.depth.init_args.supervision", "labels of a colleague")
    assert run_label(tiny_cityscapes, tmp_path / "out", *option) == 0
    manifest = LabelStore(tmp_path / "out").manifest
    assert manifest.supervision == ("depth: labels of a colleague",)
    assert list(manifest.parts["depth_files"]) == ["content"]


def test_a_damaged_record_stops_the_run(tiny_cityscapes, tmp_path, capsys):
    (tiny_cityscapes / "depth" / "val" / "depth.json").write_text(json.dumps([1])[:2])
    assert run_label(tiny_cityscapes, tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert error.startswith("error: cannot read what made the depth: ")
    assert len(error.splitlines()) == 1
