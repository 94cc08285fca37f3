import errno
import logging
import os
import re
import tempfile

import numpy as np
import pytest
import torch

from callbacks.checkpoint_files import (
    WholeCheckpoints,
    checkpoint_to_measure,
    local_checkpoint,
    newest_checkpoint,
    read_checkpoint,
    refuse_unreadable,
)
from relief.formats.files.atomic import WriteError
from relief.schema.errors import UsageError, WeightsError

CONTENT = {"state_dict": {"w": torch.zeros(2)}, "pytorch-lightning_version": "2.6", "epoch": 1}


def checkpoint(path, age=0, **more):
    torch.save({**CONTENT, **more}, path)
    os.utime(path, (1000 - age, 1000 - age))


def test_nothing_to_go_on_from(tmp_path):
    assert newest_checkpoint(tmp_path / "missing") is None


def test_the_last_one_comes_first(tmp_path):
    checkpoint(tmp_path / "last.ckpt", age=50)
    checkpoint(tmp_path / "best.ckpt", age=0)
    checkpoint(tmp_path / "step=100.ckpt", age=10)
    assert newest_checkpoint(tmp_path)[0].name == "last.ckpt"


def test_a_cut_one_is_passed_over_with_a_warning(tmp_path, caplog):
    checkpoint(tmp_path / "last.ckpt", age=0)
    checkpoint(tmp_path / "step=100.ckpt", age=10)
    checkpoint(tmp_path / "best.ckpt", age=0)
    data = (tmp_path / "last.ckpt").read_bytes()
    (tmp_path / "last.ckpt").write_bytes(data[: len(data) // 2])
    logging.getLogger("relief").propagate = True
    with caplog.at_level(logging.WARNING, logger="relief"):
        assert newest_checkpoint(tmp_path)[0].name == "step=100.ckpt"
    (told,) = set(caplog.messages)  # twice where a command of another test set up the log
    assert told.startswith(f"warning: cannot read checkpoint {tmp_path / 'last.ckpt'}: ")
    assert told.endswith(". Going on from step=100.ckpt.")


def damaged(path):
    path.write_bytes(b"PK\x03\x04 and no more")


def dangling(path):
    path.symlink_to(path.parent / "unmounted")


def a_folder(path):
    path.mkdir()


def of_something_else(path):
    torch.save([1, 2], path)


def with_numpy(path):
    checkpoint(path, callbacks={"Smoothed": {"mean": np.float64(1.0)}})


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (damaged, "cannot read checkpoint "),
        (dangling, "cannot read checkpoint .*: No such file"),
        (a_folder, "cannot read checkpoint .*: Is a directory"),
        (of_something_else, "it is none of a `train.py fit` run"),
        (with_numpy, r"it holds numpy\.\S*scalar, and only tensors and plain values are read"),
    ],
)
@pytest.mark.parametrize("best", [False, True])
def test_checkpoints_that_cannot_be_read_are_an_error_never_none(tmp_path, make, reason, best):
    make(tmp_path / "last.ckpt")
    if best:  # chosen with ground truth: nobody takes it unless it is named
        checkpoint(tmp_path / "best.ckpt")
    with pytest.raises(UsageError, match=reason) as caught:
        newest_checkpoint(tmp_path)
    assert "--ckpt_path FILE" in str(caught.value)
    assert str(caught.value).endswith("--overwrite true.")


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path):
    (tmp_path / "checkpoints").write_text("a file")
    with pytest.raises(UsageError, match=r"cannot read .*: Not a directory"):
        newest_checkpoint(tmp_path / "checkpoints")


def test_the_best_one_is_gone_on_from_where_it_is_the_only_one(tmp_path):
    checkpoint(tmp_path / "best.ckpt", epoch=7)
    path, content = newest_checkpoint(tmp_path)
    assert (path.name, content["epoch"]) == ("best.ckpt", 7)
    assert checkpoint_to_measure(tmp_path) == path


def test_numbers_of_numpy_are_kept_as_plain_ones(tmp_path):
    state = {"Smoothed": {"mean": np.float64(0.5), "seen": [np.int64(3)]}}
    WholeCheckpoints().save_checkpoint({**CONTENT, "callbacks": state}, tmp_path / "a.ckpt")
    kept = read_checkpoint(tmp_path / "a.ckpt")["callbacks"]
    assert kept == {"Smoothed": {"mean": 0.5, "seen": [3]}}
    assert type(kept["Smoothed"]["mean"]) is float


def test_what_could_not_be_read_again_is_not_written(tmp_path):
    told = "^callbacks cannot be kept in checkpoints: it holds numpy.*"
    with pytest.raises(UsageError, match=told):
        content = {**CONTENT, "callbacks": {"Smoothed": np.zeros(3)}}
        WholeCheckpoints().save_checkpoint(content, tmp_path / "a.ckpt")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError, match=r"^Mine cannot be kept in checkpoints: "):
        refuse_unreadable({"Fine": {"a": torch.ones(2)}, "Mine": {"f": lambda: 0}})


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    class Harmful:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "harm"),))

    torch.save({"state_dict": Harmful()}, tmp_path / "last.ckpt")
    with pytest.raises(WeightsError, match=r"it holds posix\.mkdir, and only tensors"):
        WholeCheckpoints().load_checkpoint(tmp_path / "last.ckpt", weights_only=False)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("path", ["http://127.0.0.1:9/last.ckpt", "s3://a/b.ckpt", "best", "."])
def test_only_files_of_this_machine_are_checkpoints(path):
    told = f"no checkpoint: {path}. Give --ckpt_path a file on this machine."
    with pytest.raises(UsageError, match=re.escape(told)):
        local_checkpoint(path)
    with pytest.raises(UsageError, match=re.escape(told)):
        WholeCheckpoints().load_checkpoint(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_training_that_diverged_is_not_gone_on_from(tmp_path, value):
    path, bad = tmp_path / "last.ckpt", torch.tensor([1.0, value])
    optimizer = {"state": {0: {"step": torch.tensor(3.0), "exp_avg": bad}}}
    for content, name in (
        ({"state_dict": {"n": torch.tensor(3), "w": bad}}, "w"),
        ({"optimizer_states": [optimizer]}, r"optimizer\.0\.exp_avg"),
    ):
        torch.save({**CONTENT, **content}, path)
        told = rf"cannot load weights: {path} \(NaN or infinite values in {name}\)\."
        with pytest.raises(WeightsError, match=told):
            WholeCheckpoints().load_checkpoint(path)


def test_checkpoints_are_written_beside_their_target_whole_or_not_at_all(tmp_path, monkeypatch):
    def no_room(*arguments, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "mkstemp", no_room)  # of $TMPDIR
    path = tmp_path / "checkpoints/last.ckpt"
    WholeCheckpoints().save_checkpoint({"epoch": 3}, str(path))
    assert torch.load(path, weights_only=True) == {"epoch": 3}
    # torch's own error follows the first refused block
    monkeypatch.setattr(torch.serialization, "_save", no_room)
    with pytest.raises(WriteError, match=f"^cannot write {path}: No space left on device.$"):
        WholeCheckpoints().save_checkpoint({"epoch": 4}, path)
    assert torch.load(path, weights_only=True) == {"epoch": 3}
    assert list(path.parent.iterdir()) == [path]
