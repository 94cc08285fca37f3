from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import relief.models.weights.__main__ as weights
from relief.models.weights.files import load_state_dict, sha256_of
from relief.models.weights.sources import WeightSource
from relief.schema.errors import WeightsError

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.zeros(2)}


@pytest.fixture
def folder(tmp_path, monkeypatch, file_server):
    """A working folder, and a server that has one file and one model folder."""
    monkeypatch.chdir(tmp_path)
    torch.save({**TENSORS, "height": 320}, tmp_path / "published.pth")
    file_server.files["enc.pth"] = (tmp_path / "published.pth").read_bytes()
    file_server.files["config.json"] = b"{}"
    sources = (
        WeightSource("net/encoder", "MIT", "self-supervised", file_server.url("enc.pth")),
        WeightSource(
            "model", "MIT", "depth labels", files={"config.json": file_server.url("config.json")}
        ),
        WeightSource("by_hand", "MIT", "validation labels", by_hand="ask its authors"),
    )
    monkeypatch.setattr(weights, "SOURCES", sources)
    return tmp_path


def configuration(*paths: str) -> str:
    named = [("weights" if Path(path).suffix else "model", path) for path in paths]
    lines = [f"  - init_args: {{{argument}: {path}}}" for argument, path in named]
    Path("c.yaml").write_text("model:\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return "c.yaml"


def test_lists_what_a_configuration_needs(folder, capsys):
    config = configuration("weights/net/encoder.safetensors", "mine.pth", "plain_name")
    assert weights.main(["list", "--config", config]) == 0
    text = capsys.readouterr().out
    assert "weights/net/encoder.safetensors   missing" in text
    assert "license      MIT" in text
    assert "supervision  self-supervised" in text
    assert "mine.pth   missing\n  source       not known" in text
    assert "plain_name" not in text


def test_gets_converts_and_records(folder, file_server, capsys):
    config = configuration("weights/net/encoder.safetensors", "weights/model")
    assert weights.main(["get", "--config", config]) == 0
    path = Path("weights/net/encoder.safetensors")
    assert torch.equal(load_state_dict(path)["a.weight"], TENSORS["a.weight"])
    record = json.loads(path.with_name(path.name + ".source.json").read_text())
    assert record["sha256"] == sha256_of(path)
    assert record["size_bytes"] == path.stat().st_size
    assert record["published_sha256"] == sha256_of("published.pth")
    assert record["supervision"] == "self-supervised"
    assert sha256_of(path) in capsys.readouterr().err
    assert sorted(p.name for p in path.parent.iterdir()) == [path.name, path.name + ".source.json"]
    assert Path("weights/model/config.json").read_bytes() == b"{}"
    file_server.requests.clear()
    assert weights.main(["get", "--config", config]) == 0
    assert file_server.requests == []


def test_conversion_gives_the_same_bytes_again(folder):
    config = configuration("weights/net/encoder.safetensors")
    path = Path("weights/net/encoder.safetensors")
    weights.main(["get", "--config", config])
    first = path.read_bytes()
    path.unlink()
    weights.main(["get", "--config", config])
    assert path.read_bytes() == first


def test_damaged_file_is_made_again_and_another_publication_refused(folder, file_server, capsys):
    config = configuration("weights/net/encoder.safetensors")
    path = Path("weights/net/encoder.safetensors")
    weights.main(["get", "--config", config])
    whole = path.read_bytes()
    path.write_bytes(whole[:50])
    assert weights.main(["get", "--config", config]) == 0
    assert path.read_bytes() == whole
    path.unlink()
    file_server.files["enc.pth"] += b"changed"
    assert weights.main(["get", "--config", config]) == 2
    assert "checksum of encoder.pth differs" in capsys.readouterr().err.replace("\n", " ")
    assert not path.exists()


def test_a_file_put_there_by_hand_is_converted_and_kept(folder, file_server):
    Path("weights").mkdir()
    np.save("weights/by_hand.npy", np.ones((2, 2), np.float32))
    config = configuration("weights/by_hand.safetensors")
    assert weights.main(["get", "--config", config]) == 0
    assert load_state_dict("weights/by_hand.safetensors")["array"].sum() == 4
    assert Path("weights/by_hand.npy").is_file()
    assert file_server.requests == []


def test_a_file_put_there_under_its_published_name_is_converted(folder):
    Path("weights/net").mkdir(parents=True)
    torch.save({"w": torch.ones(2)}, "weights/net/enc.pth")
    assert weights.main(["get", "weights/net/encoder.safetensors"]) == 0
    assert load_state_dict("weights/net/encoder.safetensors")["w"].sum() == 2
    assert Path("weights/net/enc.pth").is_file()


def test_what_cannot_be_got_is_said_and_the_rest_done(folder, capsys):
    config = configuration("weights/by_hand.npz", "mine.pth", "weights/net/encoder.pth")
    assert weights.main(["get", "--config", config]) == 2
    text = capsys.readouterr().err
    assert "Ask its authors" in text
    assert "and put it at weights/by_hand.npz." in text
    assert "no source is known: mine.pth is not there." in text
    assert Path("weights/net/encoder.pth").read_bytes() == Path("published.pth").read_bytes()


def test_code_in_a_download_is_not_run(folder, file_server, capsys):
    class Code:
        def __reduce__(self):
            return os.system, ("touch ran",)

    torch.save({"x": Code()}, "code.pth")
    file_server.files["enc.pth"] = Path("code.pth").read_bytes()
    assert weights.main(["get", "--config", configuration("weights/net/encoder.safetensors")]) == 2
    assert "encoder.pth (holds code, not only weights; from" in capsys.readouterr().err
    assert not Path("ran").exists()
    assert list(Path("weights/net").iterdir()) == []


def test_unreadable_configuration_is_told_in_a_line(folder, capsys):
    assert weights.main(["list", "--config", "none.yaml"]) == 2
    assert (
        capsys.readouterr().err == "error: cannot read configuration: none.yaml. Check --config.\n"
    )


def test_a_file_that_was_there_is_recorded_and_no_other_takes_its_place(folder, capsys):
    path = Path("weights/net/encoder.safetensors")
    path.parent.mkdir(parents=True)
    save_file(TENSORS, path)
    assert weights.main(["get", str(path)]) == 0
    record = json.loads(path.with_name(path.name + ".source.json").read_text())
    assert record["sha256"] == sha256_of(path)
    assert "url" not in record
    save_file({**TENSORS, "a.bias": torch.ones(2)}, path)
    with pytest.raises(WeightsError, match=r"is not the file that was got first \(sha256 "):
        load_state_dict(path)


def test_another_file_by_hand_is_refused_where_one_was_converted(folder, capsys):
    published, path = Path("weights/net/enc.pth"), Path("weights/net/encoder.safetensors")
    assert weights.main(["get", str(path)]) == 0
    path.unlink()
    torch.save({"w": torch.ones(2)}, published)
    assert weights.main(["get", str(path)]) == 2
    assert f"error: {published} is not the file that was got first" in capsys.readouterr().err
    assert not path.exists()


def test_a_record_that_cannot_be_read_is_no_missing_one(folder, capsys):
    path = Path("weights/net/encoder.safetensors")
    assert weights.main(["get", str(path)]) == 0
    path.with_name(path.name + ".source.json").write_text('{"sha256": ')
    assert weights.main(["get", str(path)]) == 2
    assert f"error: cannot read: {path}.source.json (" in capsys.readouterr().err
    with pytest.raises(WeightsError, match="cannot read: "):
        load_state_dict(path)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_half_file_without_a_record_is_seen_and_got_again(folder, suffix, capsys):
    path = Path(f"weights/net/encoder{suffix}")
    path.parent.mkdir(parents=True)
    if suffix == ".pth":
        path.write_bytes(Path("published.pth").read_bytes())
    else:
        save_file(TENSORS, path)
    assert weights.main(["get", str(path)]) == 0
    assert "is there" in capsys.readouterr().err
    cut(path)
    assert weights.main(["list", str(path)]) == 0
    assert f"{path}   damaged" in capsys.readouterr().out
    assert weights.main(["get", str(path)]) == 0
    assert load_state_dict(path).keys() >= TENSORS.keys()


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_a_folder_with_a_half_file_is_mended(folder, file_server, monkeypatch, file):
    save_file(TENSORS, "model.safetensors")
    contents = {
        "config.json": b'{"model_type": "dpt"}',
        "model.safetensors": Path("model.safetensors").read_bytes(),
    }
    file_server.files |= contents
    urls = {name: file_server.url(name) for name in contents}
    monkeypatch.setattr(
        weights, "SOURCES", (WeightSource("model", "MIT", "depth labels", files=urls),)
    )
    path = Path("weights/model")
    path.mkdir(parents=True)
    for name, content in contents.items():
        (path / name).write_bytes(content)
    cut(path / file)
    assert weights.main(["get", "weights/model"]) == 0
    assert {name: (path / name).read_bytes() for name in contents} == contents
    assert [requested for requested, _ in file_server.requests] == [f"/{file}"]


def test_weights_are_got_by_path_or_name(folder, capsys):
    assert weights.main(["get", "elsewhere/net/encoder.safetensors", "net/encoder"]) == 0
    assert Path("elsewhere/net/encoder.safetensors").is_file()
    assert Path("weights/net/encoder.safetensors").is_file()
    assert weights.main(["get", "weights/vit.safetensors"]) == 2
    assert weights.main(["get"]) == 2
    text = capsys.readouterr().err
    assert "no source is known: weights/vit.safetensors is not there." in text
    assert text.endswith(
        "error: no weights named: get. Give paths, or a --config that needs some.\n"
    )


def test_without_arguments_everything_known_is_listed_by_path(folder, capsys):
    assert weights.main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    named = [line for line in lines if not line.startswith(" ")]
    assert named == [
        "weights/net/encoder.safetensors",
        "weights/model",
        "weights/by_hand.safetensors",
    ]


def test_models_of_hugging_face_are_not_passed_over(folder, monkeypatch, capsys):
    monkeypatch.setenv("HF_HUB_CACHE", str(folder / "cache"))
    url = "https://huggingface.co/owner/Model-hf/resolve/main/config.json"
    source = WeightSource("model", "MIT", "depth labels", files={"config.json": url})
    monkeypatch.setattr(weights, "SOURCES", (source,))
    assert weights.main(["get", "--config", configuration("owner/Model-hf", "owner/other")]) == 2
    text = capsys.readouterr().err
    assert "owner/Model-hf is not there. Name weights/model in its place" in text
    assert "owner/other is not there. Run `hf download owner/other`" in text
    Path("owner/other").mkdir(parents=True)
    assert weights.main(["list", "--config", configuration("owner/other")]) == 0
    assert "owner/other   present" in capsys.readouterr().out


def test_a_folder_that_cannot_be_made_is_told_in_a_line(folder, file_server, capsys):
    Path("weights").write_text("a file")
    assert weights.main(["get", "weights/net/encoder.safetensors"]) == 2
    assert capsys.readouterr().err.endswith(
        "error: cannot write: weights/net/encoder.pth (Not a directory). Check its folder, and the "
        "space on that disk.\n"
    )
    assert file_server.requests == []
