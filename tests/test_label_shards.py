"""`label.py` in shards: planned once, labelled by workers, finished once."""

import json
import tarfile

import pytest
import torch

from relief.formats.label_store import LabelStore
from tests.label_runs import run_label

PLAN = ("--shards", "none", "--shard_size", "2")


def shard_bytes(out):
    return {path.name: path.read_bytes() for path in sorted((out / "shards").iterdir())}


def test_shards_hold_what_a_run_in_one_go_writes(tiny_cityscapes, tmp_path, capsys):
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert run_label(tiny_cityscapes, whole) == 0
    assert run_label(tiny_cityscapes, out, "--shards", "auto") == 2
    assert "has no plan of shards" in capsys.readouterr().err
    assert run_label(tiny_cityscapes, out, *PLAN) == 0
    assert run_label(tiny_cityscapes, out, "--finish", "true") == 1
    said = capsys.readouterr().err
    assert (
        "2 of 2 shards are not labelled or damaged: 0,1. Run the same command with --shards" in said
    )
    assert run_label(tiny_cityscapes, out, "--shards", "1-9") == 0
    assert {p.name for p in (out / "shards").iterdir()} == {
        f"000001{s}" for s in (".tar", ".json", ".jsonl")
    }
    assert run_label(tiny_cityscapes, out, "--shards", "auto") == 0
    assert run_label(tiny_cityscapes, out, "--finish", "true") == 0
    one, other = LabelStore(whole), LabelStore(out)
    assert one.keys == other.keys and len(one.keys) == 3
    for key in one.keys:
        assert torch.equal(one.panoptic(key), other.panoptic(key))
        assert other.file("semantic", key).read_bytes() == one.file("semantic", key).read_bytes()
        assert other.readable(key)
    for name in ("panoptic.json", "metrics.json", "codebook.safetensors"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()
    before, after = (json.loads((folder / "manifest.json").read_text()) for folder in (whole, out))
    assert after.pop("shard_size") == 2
    assert before == after


@pytest.mark.slow
def test_a_second_run_touches_nothing_and_damaged_shards_are_made_again(
    tiny_cityscapes, tmp_path, capsys
):
    out = tmp_path / "out"
    run_label(tiny_cityscapes, out, *PLAN)
    run_label(tiny_cityscapes, out, "--shards", "auto")
    before = shard_bytes(out)
    times = {path: path.stat().st_mtime_ns for path in (out / "shards").iterdir()}
    assert run_label(tiny_cityscapes, out, "--shards", "auto") == 0
    assert times == {path: path.stat().st_mtime_ns for path in (out / "shards").iterdir()}
    assert run_label(tiny_cityscapes, out, *PLAN) == 0
    tar = out / "shards" / "000000.tar"
    flipped = bytearray(tar.read_bytes())
    flipped[600] ^= 1
    tar.write_bytes(flipped)
    (out / "shards" / "000001.tar").unlink()
    assert run_label(tiny_cityscapes, out, "--finish", "true") == 1
    assert "2 of 2 shards are not labelled or damaged: 0,1." in capsys.readouterr().err
    assert run_label(tiny_cityscapes, out, "--shards", "auto") == 0
    assert shard_bytes(out) == before
    with tarfile.open(tar) as archive:
        names = archive.getnames()
    key = "bonn/bonn_000010_000019"
    assert names[:2] == [f"{key}.panoptic.png", f"{key}.semantic.png"] and len(names) == 4


@pytest.mark.slow
def test_images_that_fail_are_told_and_the_shard_counts(tiny_cityscapes, tmp_path, capsys):
    out = tmp_path / "out"
    run_label(tiny_cityscapes, out, *PLAN)
    first = sorted((tiny_cityscapes / "leftImg8bit" / "val").rglob("*.png"))[0]
    first.write_bytes(b"no image")
    assert run_label(tiny_cityscapes, out, "--shards", "auto") == 1
    assert "cannot label 1 of 3 images: bonn/bonn_000010_000019" in capsys.readouterr().err
    record = json.loads((out / "shards" / "000000.json").read_text())
    assert record["counts"]["labelled"] == record["counts"]["failed"] == 1
    assert run_label(tiny_cityscapes, out, "--finish", "true") == 1
    assert len(LabelStore(out).keys) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--shards", "few"), "cannot tell shards: --shards few."),
        (("--shards", "auto", "--finish", "true"), "--finish true goes without --shards"),
        (("--shard_size", "4"), "--shard_size 4 needs --shards."),
        (("--shards", "auto", "--overwrite", "true"), "--overwrite true would remove"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    tiny_cityscapes, tmp_path, capsys, options, said
):
    assert run_label(tiny_cityscapes, tmp_path / "out", *options) == 2
    assert said in capsys.readouterr().err
