from __future__ import annotations

from pathlib import Path

import pytest

from relief.models.configured_weights import missing_weights, needed_weights
from relief.models.weight_sources import WeightSource
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
    values = {"a": {"path": str(file)}, "b": [str(folder), "mine.pth", 3, None]}
    assert missing_weights(values, sources) == sorted([str(file), str(folder)])
    file.parent.mkdir()
    file.write_bytes(b"")
    assert missing_weights(values, sources) == [str(folder)]
    folder.mkdir()
    (folder / "config.json").write_bytes(b"{}")
    assert missing_weights(values, sources) == []
