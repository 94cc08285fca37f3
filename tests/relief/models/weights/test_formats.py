from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from relief.models.weights.formats import (
    HOLDS_CODE,
    UnreadableError,
    read_tensors,
    why_unreadable,
)


@pytest.fixture
def files(tmp_path):
    """A whole file of every kind."""
    tensors = {"a": torch.arange(100.0)}
    torch.save(tensors, tmp_path / "a.pth")
    save_file(tensors, tmp_path / "a.safetensors")
    np.save(tmp_path / "a.npy", np.arange(100))
    np.savez(tmp_path / "a.npz", a=np.arange(100))
    (tmp_path / "a.json").write_text(json.dumps({"a": list(range(100))}))
    return tmp_path


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".npy", ".npz", ".json"])
def test_a_file_is_whole_or_says_why_not(files, suffix):
    path, part = files / f"a{suffix}", files / "part"
    assert why_unreadable(path) == ""
    part.write_bytes(path.read_bytes())
    assert why_unreadable(part, suffix) == ""
    part.write_bytes(path.read_bytes()[:-5])
    assert why_unreadable(part, suffix) != ""
    assert "\n" not in why_unreadable(part, suffix)


def test_of_safetensors_the_length_is_enough(files):
    path = files / "a.safetensors"
    content = bytearray(path.read_bytes())
    content[-4:] = b"\xff" * 4
    path.write_bytes(content)
    assert why_unreadable(path) == ""


def test_a_name_does_not_tell_the_format(files):
    (files / "a.safetensors").rename(files / "b.pth")
    assert read_tensors(files / "b.pth")["a"].sum() == 4950
    assert why_unreadable(files / "b.pth") == ""
    assert read_tensors(files / "a.npz", ".npz")["a"].sum() == 4950


def test_code_is_told_apart_from_damage(files):
    torch.save({"hook": print}, files / "code.pth")
    assert why_unreadable(files / "code.pth") == HOLDS_CODE
    np.save(files / "code.npy", np.array([print], dtype=object))
    with pytest.raises(UnreadableError, match=HOLDS_CODE):
        read_tensors(files / "code.npy")
