import errno
import logging
import os
import re
import tempfile
from pickle import UnpicklingError

import pytest
import torch

from callbacks.checkpoints import WholeCheckpoints, local_checkpoint, newest_checkpoint
from relief.formats.atomic import WriteError
from relief.schema.errors import UsageError, WeightsError


def checkpoint(path, age):
    torch.save({"state_dict": {"w": torch.zeros(2)}, "epoch": 1}, path)
    os.utime(path, (1000 - age, 1000 - age))


def test_nothing_to_go_on_from(tmp_path):
    assert newest_checkpoint(tmp_path / "missing") is None


def test_the_last_one_comes_first(tmp_path):
    checkpoint(tmp_path / "last.ckpt", age=50)
    checkpoint(tmp_path / "best.ckpt", age=0)
    checkpoint(tmp_path / "step=100.ckpt", age=10)
    assert newest_checkpoint(tmp_path).name == "last.ckpt"


def test_a_cut_one_is_passed_over_with_a_warning(tmp_path, caplog):
    checkpoint(tmp_path / "last.ckpt", age=0)
    checkpoint(tmp_path / "step=100.ckpt", age=10)
    checkpoint(tmp_path / "best.ckpt", age=0)
    data = (tmp_path / "last.ckpt").read_bytes()
    (tmp_path / "last.ckpt").write_bytes(data[: len(data) // 2])
    logging.getLogger("relief").propagate = True
    with caplog.at_level(logging.WARNING, logger="relief"):
        assert newest_checkpoint(tmp_path).name == "step=100.ckpt"
    told = "warning: last.ckpt is not readable, resuming from step=100.ckpt"
    assert set(caplog.messages) == {told}  # twice where a command of another test set up the log


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    class Harmful:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "harm"),))

    torch.save({"state_dict": Harmful()}, tmp_path / "last.ckpt")
    assert newest_checkpoint(tmp_path) is None
    with pytest.raises(UnpicklingError):
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
        ({"state_dict": {}, "optimizer_states": [optimizer]}, r"optimizer\.0\.exp_avg"),
    ):
        torch.save(content, path)
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
