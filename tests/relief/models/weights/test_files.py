from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from relief.formats.files.atomic import WriteError
from relief.models.weights.files import convert, fill, load_state_dict, sha256_of
from relief.schema.errors import WeightsError


class Code:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch '{self.marker}'",)


@pytest.fixture
def weights() -> dict[str, torch.Tensor]:
    return {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.tensor([1.0, 2.0])}


def test_reads_safetensors_and_checkpoints_alike(tmp_path, weights):
    save_file(weights, tmp_path / "a.safetensors")
    torch.save(weights, tmp_path / "a.pth")
    for name in ("a.safetensors", "a.pth"):
        read = load_state_dict(tmp_path / name)
        assert set(read) == set(weights)
        assert all(torch.equal(read[key], weights[key]) for key in weights)


def test_knows_safetensors_by_their_content(tmp_path, weights):
    save_file(weights, tmp_path / "a.pth")
    assert torch.equal(load_state_dict(tmp_path / "a.pth")["a.weight"], weights["a.weight"])


def test_reads_the_old_checkpoint_format(tmp_path, weights):
    torch.save(weights, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    assert torch.equal(load_state_dict(tmp_path / "a.pth")["a.bias"], weights["a.bias"])


def test_leaves_out_what_is_no_tensor_and_unwraps(tmp_path, weights):
    torch.save({**weights, "height": 320, "use_stereo": False}, tmp_path / "extra.pth")
    torch.save({"state_dict": weights, "epoch": 3}, tmp_path / "wrapped.pth")
    assert set(load_state_dict(tmp_path / "extra.pth")) == set(weights)
    assert set(load_state_dict(tmp_path / "wrapped.pth")) == set(weights)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_values_that_are_not_finite_are_refused(tmp_path, weights, value, dtype):
    weights |= {"count": torch.tensor(3), "a.bias": torch.tensor([1.0, value], dtype=dtype)}
    save_file(weights, tmp_path / "a.safetensors")
    torch.save({"state_dict": weights}, tmp_path / "a.pth")
    for name in ("a.safetensors", "a.pth"):
        with pytest.raises(WeightsError, match=rf"{name} \(NaN or infinite values in a\.bias\)"):
            load_state_dict(tmp_path / name)
    module = nn.Linear(3, 2)
    before = module.weight.clone()
    with pytest.raises(WeightsError, match=r"^cannot load weights: mine \(NaN"):
        fill(module, {"weight": weights["a.weight"], "bias": weights["a.bias"]}, source="mine")
    assert torch.equal(module.weight, before)


def test_two_state_dicts_are_ambiguous(tmp_path, weights):
    torch.save({"student": weights, "teacher": weights}, tmp_path / "two.pth")
    with pytest.raises(WeightsError, match="holds several state dicts"):
        load_state_dict(tmp_path / "two.pth")


def test_reads_numpy(tmp_path):
    np.save(tmp_path / "modular.npy", np.ones((4, 2), dtype=np.float32))
    np.savez(tmp_path / "c.npz", centroids=np.zeros((3, 2), dtype=np.float32), k=np.array([80]))
    assert load_state_dict(tmp_path / "modular.npy")["array"].shape == (4, 2)
    assert load_state_dict(tmp_path / "c.npz")["k"].tolist() == [80]


def one_line(path: Path, sha256: str | None = None) -> str:
    with pytest.raises(WeightsError) as caught:
        load_state_dict(path, sha256)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_missing_and_damaged_files_say_what_to_type(tmp_path):
    known = tmp_path / "my weights" / "dinov2_vits14.pth"
    command = f"Run `python -m relief.models.weights get '{known}'`."
    assert one_line(known) == f"cannot load weights: {known} (no such file). {command}"
    known.parent.mkdir()
    known.write_bytes(b"PK")
    assert one_line(known).endswith(f"). {command}")
    assert one_line(tmp_path / "no.pth").endswith(
        "(no such file). Check the path. `python -m relief.models.weights list` shows what can be "
        "got."
    )


@pytest.mark.parametrize("name", ["a.safetensors", "a.pth"])
def test_cut_file_is_told_in_a_line(tmp_path, weights, name):
    path = tmp_path / name
    if name.endswith("pth"):
        torch.save(weights, path)
    else:
        save_file(weights, path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert one_line(path).endswith("Download it again.")


@pytest.mark.parametrize("name", ["a.safetensors", "a.pth", "a.pt", "a.npy", "a.npz"])
@pytest.mark.parametrize("content", [b"<!DOCTYPE html><html>Not found</html>", b"", b"PK\x03\x04"])
def test_other_content_is_told_in_a_line(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    line = one_line(path)
    assert line.startswith(f"cannot load weights: {path} (")
    assert line.endswith("Download it again.")


@pytest.mark.parametrize("zipped", [True, False])
def test_checkpoint_with_code_runs_nothing(tmp_path, weights, zipped):
    marker = tmp_path / "ran"
    path = tmp_path / "cause.pt"
    torch.save({**weights, "x": Code(marker)}, path, _use_new_zipfile_serialization=zipped)
    assert one_line(path) == (
        f"{path} holds code, not only weights; not loaded. Get its tensors alone, as .safetensors "
        "or a plain state dict."
    )
    assert not marker.exists()


def test_plain_pickle_and_object_array_run_nothing(tmp_path):
    marker = tmp_path / "ran"
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"x": Code(marker)}))
    np.save(tmp_path / "a.npy", np.array([Code(marker)], dtype=object))
    for name in ("a.pkl", "a.npy"):
        assert "holds code" in one_line(tmp_path / name)
    assert not marker.exists()


def test_checksum_is_compared(tmp_path, weights):
    path = tmp_path / "a.safetensors"
    save_file(weights, path)
    assert load_state_dict(path, sha256_of(path)).keys() == weights.keys()
    assert load_state_dict(path, sha256_of(path)[:8].upper()).keys() == weights.keys()
    line = one_line(path, "cd34" * 16)
    assert f"sha256 {sha256_of(path)[:12]}.., expected cd34cd34cd34.." in line


def test_fill_is_strict_on_names_and_shapes():
    layer = nn.Linear(3, 2)
    state = {"weight": torch.ones(2, 3), "bias": torch.zeros(2)}
    fill(layer, {**state, "height": torch.tensor(320)}, source="a.pth", ignored=["height"])
    assert layer.weight.sum() == 6
    for wrong, text in [
        ({"weight": state["weight"]}, "no bias"),
        ({**state, "other": torch.zeros(1)}, "unknown other"),
        ({**state, "weight": torch.ones(3, 3)}, r"weight is \(3, 3\), expected \(2, 3\)"),
    ]:
        with pytest.raises(WeightsError, match=text):
            fill(layer, wrong, source="a.pth")


def test_converts_to_the_same_tensors_and_tells_what_cannot_be_written(tmp_path, weights):
    torch.save(weights, tmp_path / "a.pth")
    convert(tmp_path / "a.pth", tmp_path / "a.safetensors")
    assert torch.equal(load_state_dict(tmp_path / "a.safetensors")["a.bias"], weights["a.bias"])
    with pytest.raises(WriteError, match=r"^cannot write .*: File exists\.$"):
        convert(tmp_path / "a.pth", tmp_path / "a.pth/b.safetensors")
