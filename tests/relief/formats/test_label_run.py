import dataclasses
import logging

import pytest
import torch

from relief.formats.label_run import LabelRun, outcome
from relief.formats.label_store import LabelStore, panoptic_path
from relief.formats.segment_ids import compose_segment_ids
from relief.schema.errors import UsageError
from relief.schema.manifest import Manifest

KEYS = ("a/one", "b/two")
IS_THING = torch.tensor([False, True, False])


def manifest(k=3):
    return Manifest(k=k, thing_ids=(1,), groups=(-1, 0, -1), images=dict.fromkeys(KEYS, "pending"))


def started(tmp_path):
    run = LabelRun(tmp_path / "out")
    run.claim(manifest(), overwrite=False)
    run.begin(manifest())
    return run


def write(run, key):
    semantic = torch.tensor([[0, 1], [2, 1]])
    panoptic = torch.stack((semantic, torch.tensor([[0, 1], [0, 0]])), dim=-1)
    run.write(key, semantic, compose_segment_ids(panoptic, IS_THING), len(IS_THING))
    return panoptic


def test_written_labels_read_back_and_are_counted(tmp_path):
    run = started(tmp_path)
    panoptic = write(run, "a/one")
    assert run.labelled(KEYS) == ["a/one"]
    completed = run.complete()
    assert completed.failures == {"b/two": "not labelled yet"}
    assert outcome(completed) == (
        "labelled 1 of 2 images; missing: b/two (1 in all). "
        "Run the same command again to label the rest."
    )
    store = LabelStore(run.out)
    assert store.keys == ["a/one"]
    assert torch.equal(store.panoptic("a/one"), panoptic)


def test_reasons_of_failures_are_kept_until_the_end(tmp_path):
    run = started(tmp_path)
    write(run, "a/one")
    run.record_failure({"key": "b/two", "reason": "image file is truncated"})
    completed = run.complete()
    assert completed.failures == {"b/two": "image file is truncated"}
    assert LabelStore(run.out).manifest == completed
    assert outcome(completed) == (
        "cannot label 1 of 2 images: b/two: image file is truncated "
        "Or pass --data.init_args.on_error skip."
    )


def test_labels_that_no_file_can_hold_leave_no_half_behind(tmp_path):
    run = started(tmp_path)
    semantic = torch.ones(2, 2, dtype=torch.int64)
    panoptic = torch.stack((semantic, torch.full((2, 2), 32768)), dim=-1)
    with pytest.raises(ValueError, match=r"expected instances in \[0, 32767\]"):
        run.write("a/one", semantic, compose_segment_ids(panoptic, IS_THING), len(IS_THING))
    assert not [path for path in run.out.rglob("*") if path.suffix == ".png"]


def test_more_clusters_than_ids_are_refused_before_anything_is_made(tmp_path):
    run = LabelRun(tmp_path / "out")
    with pytest.raises(UsageError, match=r"^600 clusters: .* at most 511"):
        run.claim(manifest(k=600), overwrite=True)
    assert not run.out.exists()
    run.claim(manifest(k=511), overwrite=False)


def test_nothing_is_said_when_all_is_done(tmp_path):
    run = started(tmp_path)
    for key in KEYS:
        write(run, key)
    assert outcome(run.complete()) is None


def test_a_cut_label_is_not_done_and_is_named(tmp_path, caplog, monkeypatch):
    run = started(tmp_path)
    write(run, "a/one")
    path = panoptic_path(run.out, "a/one")
    path.write_bytes(path.read_bytes()[:-20])
    monkeypatch.setattr(logging.getLogger("relief"), "propagate", True)
    with caplog.at_level("INFO", logger="relief"):
        assert run.labelled(KEYS) == []
    assert set(caplog.messages) == {"re-labelling a/one: existing label is not readable"}


def test_another_configuration_is_refused_and_nothing_is_touched(tmp_path):
    run = started(tmp_path)
    write(run, "a/one")
    before = sorted((p, p.read_bytes()) for p in run.out.rglob("*") if p.is_file())
    other = dataclasses.replace(manifest(), k=80, groups=None, thing_ids=None)
    with pytest.raises(UsageError, match="was made with k=3, this run has k=80"):
        LabelRun(run.out).claim(other, overwrite=False)
    assert before == sorted((p, p.read_bytes()) for p in run.out.rglob("*") if p.is_file())


def test_overwrite_removes_labels_only(tmp_path):
    run = started(tmp_path)
    write(run, "a/one")
    (run.out / "mine.txt").write_text("keep")
    run.codebook_path.write_bytes(b"old")
    LabelRun(run.out).claim(manifest(k=80), overwrite=True)
    kept = {"mine.txt", "manifest.json", "run.lock"}
    assert {p.name for p in run.out.iterdir()} == kept
    assert LabelStore(run.out).manifest.k == 80


def test_the_same_configuration_goes_on(tmp_path):
    run = started(tmp_path)
    write(run, "a/one")
    again = LabelRun(run.out)
    again.claim(manifest(), overwrite=False)
    again.begin(manifest())
    assert again.labelled(KEYS) == ["a/one"]


def test_an_output_that_cannot_be_made_is_told_before_work(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UsageError, match="cannot write"):
        LabelRun(tmp_path / "file" / "out").claim(manifest(), overwrite=False)
