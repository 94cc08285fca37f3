import hashlib
import tarfile

import pytest
import torch

from relief.formats.files.atomic import WriteError
from relief.formats.label_run import LabelRun
from relief.formats.label_store import LabelStore, write_manifest
from relief.formats.segment_ids import compose_segment_ids
from relief.formats.shards import writer as shard_writer
from relief.formats.shards.store import is_whole, plan_shards, shard_segments
from relief.formats.shards.writer import write_shard
from relief.schema.errors import ReadError
from relief.schema.manifest import Manifest

KEYS = ("a/" + "long" * 40, "b/größe", "c")
SEMANTIC = torch.tensor([[0, 1], [2, 1]])
PANOPTIC = torch.stack((SEMANTIC, torch.tensor([[0, 1], [0, 0]])), dim=-1)


def manifest(**given):
    images = dict.fromkeys(KEYS, "pending")
    return Manifest(k=3, thing_ids=(1,), groups=(-1, 0, -1), images=images, **given)


def work_folder(folder):
    """Two of three images labelled, the third failed."""
    run = LabelRun(folder)
    run.begin(manifest(confidence="part"))
    for key in KEYS[:2]:
        segments = compose_segment_ids(PANOPTIC, torch.tensor([False, True, False]))
        run.write(key, SEMANTIC, segments, 3, SEMANTIC / 2)
    run.record_failure({"key": "c", "reason": "no image"})
    run.complete()
    return folder


def written(out, work):
    plan = manifest(confidence="part", shard_size=4)
    write_manifest(out, plan)
    (shard,) = plan_shards(plan)
    return shard, write_shard(out, shard, LabelStore(work_folder(work)), plan.settings_digest())


def test_a_tar_is_read_as_a_folder_is(tmp_path):
    shard, record = written(tmp_path / "out", tmp_path / "work")
    assert record["counts"] == {"labelled": 2, "failed": 1, "objects": 2}
    assert record["failures"] == {"c": "no image"}
    flat, store = LabelStore(tmp_path / "work"), LabelStore(tmp_path / "out")
    for key in KEYS[:2]:
        assert torch.equal(store.panoptic(key), PANOPTIC)
        assert torch.equal(store.semantic(key), SEMANTIC)
        assert torch.equal(store.confidence(key), flat.confidence(key))
        assert store.readable(key)
    assert not store.readable("c")
    with pytest.raises(ReadError, match=r"no labels of c: .*000000.tar"):
        store.panoptic("c")
    with tarfile.open(shard.path(tmp_path / "out", ".tar")) as archive:
        assert {(m.mtime, m.uid, m.uname, m.mode) for m in archive} == {(0, 0, "", 0o644)}
        names = archive.getnames()
        assert names[:3] == [f"{KEYS[0]}.{n}.png" for n in ("confidence", "panoptic", "semantic")]
        for member in archive.getmembers():
            key, kind, _ = member.name.rsplit(".", 2)
            content = archive.extractfile(member).read()
            assert content == (tmp_path / "work" / kind / f"{key}.png").read_bytes()
    images = list(shard_segments(tmp_path / "out", [shard]))
    assert [image["key"] for image in images] == list(KEYS[:2])
    assert images[0]["segments_info"][1]["area"] == 1


def test_equal_labels_give_equal_bytes_and_other_bytes_are_noticed(tmp_path):
    shard, record = written(tmp_path / "one", tmp_path / "work")
    _, again = written(tmp_path / "two", tmp_path / "work_again")
    assert record == again
    out, settings = tmp_path / "one", record["settings"]
    tar = shard.path(out, ".tar")
    assert hashlib.sha256(tar.read_bytes()).hexdigest() == again["files"][".tar"]["sha256"]
    assert is_whole(out, shard, settings)
    assert is_whole(out, shard, settings, lambda keys: {})
    assert not is_whole(out, shard, settings, lambda keys: dict.fromkeys(keys, "another"))
    assert not is_whole(out, shard, "others")
    changed = bytearray(tar.read_bytes())
    changed[700] ^= 1
    tar.write_bytes(changed)
    assert not is_whole(out, shard, settings)


def test_a_file_that_does_not_read_back_never_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(shard_writer, "file_record", lambda path: None)
    with pytest.raises(WriteError, match="does not read back"):
        written(tmp_path / "out", tmp_path / "work")
    assert not list((tmp_path / "out" / "shards").iterdir())
