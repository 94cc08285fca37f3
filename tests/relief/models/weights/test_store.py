from __future__ import annotations

import json

import pytest
import torch
from rich.console import Console
from safetensors.torch import save_file

from relief.models.weights.files import RECORD_SUFFIX, sha256_of
from relief.models.weights.sources import WeightSource
from relief.models.weights.store import get, state_of
from relief.schema.errors import WeightsError

FILE = WeightSource("net/encoder", "MIT", "none", "http://127.0.0.1:9/e.pth")
FOLDER = WeightSource("model", "MIT", "none", files={"config.json": "", "model.safetensors": ""})


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "encoder.safetensors"
    save_file({"a": torch.zeros(100)}, path)
    return path


def test_a_file_is_missing_present_or_damaged(path):
    assert state_of(path.with_name("none.safetensors"), FILE) == "missing"
    assert state_of(path, FILE) == state_of(path, None) == "present"
    path.write_bytes(path.read_bytes()[:-1])
    assert state_of(path, FILE) == state_of(path, None) == "damaged"


def test_a_record_says_more_than_the_length(path):
    record = path.with_name(path.name + RECORD_SUFFIX)
    record.write_text(json.dumps({"sha256": sha256_of(path)}))
    assert state_of(path, FILE) == "present"
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    assert state_of(path, FILE) == "damaged"
    record.unlink()
    assert state_of(path, FILE) == "present"


def test_a_folder_is_as_good_as_its_worst_file(path, tmp_path):
    path.rename(tmp_path / "model.safetensors")
    assert state_of(tmp_path, FOLDER) == "missing"
    (tmp_path / "config.json").write_text('{"a":')
    assert state_of(tmp_path, FOLDER) == "damaged"
    (tmp_path / "config.json").write_text("{}")
    assert state_of(tmp_path, FOLDER) == "present"
    assert state_of(tmp_path, None) == "present"
    assert state_of(tmp_path / "none", None) == "missing"


def test_what_cannot_be_downloaded_says_where_to_put_it(tmp_path):
    source = WeightSource("net/encoder", "MIT", "none", FILE.url, by_hand="ask its authors")
    with pytest.raises(
        WeightsError, match=r"By hand: ask its authors, and put it at .*encoder\.pth"
    ):
        get(tmp_path / "encoder.safetensors", source, Console(quiet=True))
    plain = WeightSource("net/encoder", "MIT", "none", FILE.url)
    with pytest.raises(WeightsError, match=r"By hand: download http.*, and put it at .*\.pth\."):
        get(tmp_path / "encoder.safetensors", plain, Console(quiet=True))
