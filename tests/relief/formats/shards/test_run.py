import json
import os

import pytest

from relief.formats.files.lock import this_process
from relief.formats.label_run import LabelRun
from relief.formats.label_store import LabelStore, write_manifest
from relief.formats.shards import run as shard_run
from relief.formats.shards.run import ShardRun
from relief.formats.shards.writer import write_shard
from relief.schema.errors import ReadError, UsageError
from relief.schema.manifest import Manifest
from tests.relief.formats.test_label_run import write

KEYS = ("a/one", "b/two")


def manifest(**given):
    images = dict.fromkeys(given.pop("keys", KEYS), "pending")
    thing_ids = given.pop("thing_ids", (1,))
    return Manifest(
        k=3, thing_ids=thing_ids, groups=(-1, 0, -1), images=images, shard_size=1, **given
    )


def opened(out):
    write_manifest(out, manifest())
    return ShardRun(out)


def label(run, shard, work):
    labels = LabelRun(work)
    labels.begin(run.part(shard, work, {}))
    for key in shard.keys:
        write(labels, key)
    labels.complete()
    write_shard(run.out, shard, LabelStore(work), run.settings)


def test_every_open_shard_is_labelled_once_and_nothing_stays_behind(tmp_path):
    run, labelled = opened(tmp_path), []

    def note(shard, work):
        labelled.append(shard.number)
        label(run, shard, work)

    run.work_on(run.open_shards(run.shards), note)
    assert labelled == [0, 1]
    assert run.open_shards(run.shards) == []
    assert {path.suffix for path in (tmp_path / "shards").iterdir()} == {".tar", ".json", ".jsonl"}
    run.refuse_open_shards()
    assert run.merged(run.shards).images == dict.fromkeys(KEYS, "labelled")
    assert run.merged(run.shards[:1]).images == {"a/one": "labelled"}


def test_a_shard_of_a_living_worker_is_waited_for_and_of_a_dead_one_taken_over(
    tmp_path, monkeypatch
):
    run, looks = opened(tmp_path), []
    first, second = run.shards
    folder = tmp_path / "shards"
    folder.mkdir()
    living = {**this_process(), "host": "another", "token": "x"}
    (folder / "000000.lease").write_text(json.dumps(living))
    dead = {**this_process(), "pid": os.getpid() + 2**22, "started": "1", "token": "y"}
    (folder / "000001.lease").write_text(json.dumps(dead))

    def other_worker_finishes(seconds):
        looks.append(seconds)
        if len(looks) == 2:
            label(run, first, tmp_path / "elsewhere")

    monkeypatch.setattr(shard_run.time, "sleep", other_worker_finishes)
    labelled = []
    run.work_on(run.shards, lambda shard, work: (labelled.append(shard), label(run, shard, work)))
    assert labelled == [second]
    assert looks[0] == shard_run.POLL_S
    assert run.open_shards(run.shards) == []


def test_left_labels_of_a_gone_worker_are_kept_unless_they_are_of_other_images(tmp_path):
    run = opened(tmp_path)
    shard, work = run.shards[0], tmp_path / "work"
    labels = LabelRun(work)
    labels.begin(run.part(shard, work, {"a/one": "mark"}))
    write(labels, "a/one")
    assert labels.begin(run.part(shard, work, {"a/one": "mark"})) == {"a/one"}
    assert labels.begin(run.part(shard, work, {"a/one": "another"})) == set()


def test_there_must_be_a_plan_and_it_must_be_of_these_images(tmp_path):
    with pytest.raises(UsageError, match="has no plan of shards"):
        ShardRun(tmp_path)
    write_manifest(tmp_path, manifest(thing_ids=None))
    with pytest.raises(UsageError, match="with --shards none first"):
        ShardRun(tmp_path)
    run = opened(tmp_path)
    run.expect(manifest())
    with pytest.raises(UsageError, match="was made with codebook=null, this run has codebook=abc"):
        run.expect(manifest(codebook="abc"))
    with pytest.raises(UsageError, match="for other images: 2 then, 3 now"):
        run.expect(manifest(keys=(*KEYS, "c")))


def test_open_shards_are_told_before_anything_is_finished(tmp_path):
    run = opened(tmp_path)
    label(run, run.shards[1], tmp_path / "work")
    with pytest.raises(ReadError, match=r"1 of 2 shards are not labelled or damaged: 0\. Run"):
        run.refuse_open_shards()
