"""What a training was begun with, compared before its folder changes."""

import re
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch

from callbacks.checkpoints import LastCheckpoint
from callbacks.training_folder import TrainingFolder
from relief.schema.errors import UsageError


class Module:
    pass


class Data:
    free_arguments = frozenset({"root"})


CONFIG = {
    "model": {
        "class_path": f"{__name__}.Module",
        "init_args": {"rate": 0.1, "checkpoint": "nowhere.ckpt"},
    },
    "data": {"class_path": f"{__name__}.Data", "init_args": {"root": "x"}},
    "trainer": {"devices": "auto", "precision": "32-true"},
}
LABELS = {"labels": {"codebook": "ab", "files": "12"}, "images": {"number": 5}}


def model(start="s1"):
    return SimpleNamespace(start_mark=lambda: start, find_start=lambda: None)


def trainer(ckpt_path=None, devices=1, callbacks=()):
    return SimpleNamespace(
        ckpt_path=ckpt_path, num_devices=devices, num_nodes=1, is_global_zero=True,
        callbacks=list(callbacks), loggers=[],
    )  # fmt: skip


def data(contents):
    return SimpleNamespace(setup=lambda stage: None, contents=lambda: contents)


def folder(out, config=CONFIG, overwrite=False):
    return TrainingFolder(out, config, overwrite, lambda: (out / "run.yaml").write_text("now"))


def begin(out, path="checkpoints/last.ckpt", config=CONFIG, contents=LABELS):
    """A checkpoint as a training leaves it."""
    begun, content = folder(out, config), {"state_dict": {}, "pytorch-lightning_version": "2.6"}
    content |= {"optimizer_states": [{}], "loops": {"fit_loop": {}}}
    begun.find_start(trainer(), model())
    begun.compare_data(trainer(), data(contents))
    begun.on_save_checkpoint(trainer(), None, content)
    (out / path).parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, out / path)
    return out / path


def test_the_same_training_goes_on_from_its_last_checkpoint(tmp_path):
    last, again = begin(tmp_path), trainer()
    resumed = folder(tmp_path)
    resumed.find_start(again, model(start=None))  # the first checkpoint is not needed any more
    resumed.compare_data(again, data(LABELS))
    assert again.ckpt_path == str(last)
    assert again.callbacks == [resumed]
    content = {}
    resumed.on_save_checkpoint(again, None, content)  # the mark of the start is kept
    assert content == {"begun_with": torch.load(last, weights_only=True)["begun_with"]}


OTHER = {**CONFIG, "model": {"class_path": f"{__name__}.Module", "init_args": {"rate": 0.5}}}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"config": OTHER}, "model.init_args.rate=0.1, this run has 0.5."),
        ({"devices": 2}, "processes=1, this run has 2."),
        ({"start": "s2"}, "start=s1, this run has s2."),
        (
            {"contents": {"labels": {"codebook": "cd", "files": "34"}}},
            "labels.codebook=ab, this run has cd (1 more differences).",
        ),
        ({"contents": {"images": {"number": 6}}}, "images.number=5, this run has 6."),
    ],
)
def test_what_a_training_was_begun_with_is_compared(tmp_path, changes, told):
    last = begin(tmp_path)

    def start(ckpt_path=None):
        now = trainer(ckpt_path, changes.get("devices", 1))
        resumed = folder(tmp_path, changes.get("config", CONFIG))
        resumed.find_start(now, model(changes.get("start", "s1")))
        resumed.compare_data(now, data(changes.get("contents", LABELS)))

    with pytest.raises(UsageError, match=re.escape(f"{tmp_path} was begun with {told}")):
        start()
    start(str(last))  # as the line says


def test_another_training_is_removed_once_the_new_one_begins(tmp_path):
    begin(tmp_path, "checkpoints/previous.ckpt")
    last = begin(tmp_path)
    for name in ("metrics.csv", "validate.json", "run.yaml", "mine.txt"):
        (tmp_path / name).write_text("before")
    (tmp_path / "overlays").mkdir()
    new, now = folder(tmp_path, OTHER, overwrite=True), trainer()
    new.find_start(now, model())
    assert now.ckpt_path is None
    assert last.exists()
    assert (tmp_path / "run.yaml").read_text() == "before"
    new.on_train_start(now, None)
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "checkpoints", "metrics.csv", "mine.txt", "run.yaml",
    ]  # fmt: skip
    assert (tmp_path / "metrics.csv").read_text() == "step,epoch\n"
    assert (tmp_path / "run.yaml").read_text() == "now"


@pytest.mark.parametrize("by", ["ckpt_path", "model"])
def test_what_a_training_begins_with_is_not_removed(tmp_path, by):
    last = begin(tmp_path)
    config = {**CONFIG, "model": {"init_args": {"checkpoint": str(last)}}}
    new = folder(tmp_path, config if by == "model" else CONFIG, overwrite=True)
    with pytest.raises(UsageError, match=r"--overwrite true would remove .*last.ckpt, which"):
        new.find_start(trainer(str(last) if by == "ckpt_path" else None), model())


def test_a_training_from_elsewhere_does_not_mix_with_the_one_there(tmp_path):
    begin(tmp_path / "out")
    elsewhere = str(begin(tmp_path / "other"))
    with pytest.raises(UsageError, match="out holds another training"):
        folder(tmp_path / "out").find_start(trainer(elsewhere), model())
    folder(tmp_path / "new").find_start(trainer(elsewhere), model())
    folder(tmp_path / "out", overwrite=True).find_start(trainer(elsewhere), model())


def test_a_callback_that_no_checkpoint_can_hold_is_refused_before_the_folder_opens(tmp_path):
    class Odd(pl.Callback):
        def state_dict(self):
            return {"f": lambda: 0}

    with pytest.raises(UsageError, match=r"^Odd cannot be kept in checkpoints: "):
        folder(tmp_path, overwrite=True).on_train_start(trainer(callbacks=[Odd()]), None)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("start", "kept"), [("last", "last"), ("previous", "previous")])
def test_a_last_checkpoint_that_was_passed_over_replaces_nothing(tmp_path, start, kept):
    for name in ("last", "previous"):
        (tmp_path / f"{name}.ckpt").write_text(name)
    callback = LastCheckpoint()
    now = trainer(str(tmp_path / f"{start}.ckpt"))
    callback._keep_previous(now, tmp_path / "last.ckpt")
    assert (tmp_path / "previous.ckpt").read_text() == kept
    (tmp_path / "last.ckpt").write_text("new")
    callback._keep_previous(now, tmp_path / "last.ckpt")
    assert (tmp_path / "previous.ckpt").read_text() == "new"


@pytest.mark.parametrize("missing", ["optimizer_states", "loops"])
def test_weights_alone_are_no_training_to_go_on_with(tmp_path, missing):
    last = begin(tmp_path)
    content = torch.load(last, weights_only=True)
    del content[missing]
    torch.save(content, last)
    for given in (None, str(last)):
        with pytest.raises(UsageError, match=f"^cannot go on from {last}: it holds weights, and"):
            folder(tmp_path).find_start(trainer(given), model())
