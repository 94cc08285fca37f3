"""Fault 20: a training that is killed goes on as if nothing had happened."""

import time

import pytest

from tests.label_processes import Run, fault
from tests.test_train import recipe, rows  # noqa: F401
from tests.test_train_stage3 import assert_equal_states, stage3, start, weights  # noqa: F401

pytestmark = pytest.mark.faults


def fit(config, out):
    return ["fit", "--config", str(config), "--out", str(out)]


def trained(given, log, world_size=1):
    return Run(given, log, world_size, script="train").finish(240)


@pytest.mark.parametrize("world_size", [1, 2])
def test_a_killed_training_has_the_same_losses(recipe, tmp_path, world_size):  # noqa: F811
    whole, out = tmp_path / "whole", tmp_path / "out"
    ddp = ("--trainer.strategy", "ddp") if world_size > 1 else ()
    code, said = trained([*fit(recipe[0], whole), *ddp], tmp_path / "a", world_size)
    assert code == 0, said
    given = [*fit(recipe[0], out), *ddp, *fault("kill", rank=-1, at=5, in_pass="train")]
    assert trained(given, tmp_path / "b", world_size)[0] == 128 + 9
    assert (out / "checkpoints" / "last.ckpt").exists()
    code, said = trained([*fit(recipe[0], out), *ddp], tmp_path / "c", world_size)
    assert code == 0, said
    assert "going on from" in said
    assert len(rows(whole)) == 6
    for expected, row in zip(rows(whole), rows(out), strict=True):
        assert float(row["train/loss"]) == pytest.approx(float(expected["train/loss"]), abs=1e-6)


def test_a_cut_last_checkpoint_falls_back_to_the_one_before(recipe, tmp_path):  # noqa: F811
    out = tmp_path / "out"
    code, said = trained([*fit(recipe[0], out), "--trainer.max_steps", "4"], tmp_path / "a")
    assert code == 0, said
    checkpoint = out / "checkpoints" / "last.ckpt"
    checkpoint.write_bytes(checkpoint.read_bytes()[: checkpoint.stat().st_size // 2])
    code, said = trained(fit(recipe[0], out), tmp_path / "b")
    assert code == 0, said
    assert "warning: cannot read checkpoint " in said
    assert "Going on from previous.ckpt." in said
    assert [row["step"] for row in rows(out)] == list("012345")


@pytest.mark.parametrize("world_size", [1, 2])
def test_a_killed_self_training_ends_with_the_same_weights(stage3, tmp_path, world_size):  # noqa: F811
    """Killed in the second round, after the checkpoint of the step before."""
    whole, out = tmp_path / "whole", tmp_path / "out"
    ddp = ("--trainer.strategy", "ddp") if world_size > 1 else ()
    code, said = trained([*stage3.fit, "--out", str(whole), *ddp], tmp_path / "a", world_size)
    assert code == 0, said
    given = [*stage3.fit, "--out", str(out), *ddp]
    killed = [*given, *fault("kill", rank=-1, at=3, in_pass="train")]
    assert trained(killed, tmp_path / "b", world_size)[0] == 128 + 9
    assert weights(out)["global_step"] == 3
    code, said = trained(given, tmp_path / "c", world_size)
    assert code == 0, said
    assert "going on from" in said
    assert_equal_states(weights(out), weights(whole))
    for expected, row in zip(rows(whole), rows(out), strict=True):
        assert float(row["train/loss"]) == pytest.approx(float(expected["train/loss"]), abs=1e-6)


def test_a_signal_to_one_process_stops_all_at_the_same_step(recipe, tmp_path):  # noqa: F811
    given = [*fit(recipe[0], tmp_path / "out"), "--trainer.strategy", "ddp"]
    stop = fault("stop", rank=1, at=3, in_pass="train")
    run = Run([*given, *stop], tmp_path / "log", 2, script="train")
    said = run.finish(120)[1]
    assert run.codes == [143, 143], said
    assert said.splitlines()[-1].startswith("stopped by SIGTERM. Run the same command again")


def test_reading_processes_leave_signals_to_the_training(recipe, tmp_path):  # noqa: F811
    """As Ctrl-C in a terminal: the signal goes to every process of the group."""
    out = tmp_path / "out"
    given = [*fit(recipe[0], out), "--trainer.max_steps", "400", "--data.init_args.num_workers=2"]
    run = Run(given, tmp_path / "log", script="train")
    (main,) = run.processes
    while not (out / "checkpoints" / "last.ckpt").exists():
        time.sleep(0.1)
        assert main.is_alive(), run.logs[0].read_text()
    run.interrupt_all(least_children=2)
    code, said = run.finish()
    assert code == 130, said
    assert "Traceback" not in said


@pytest.mark.parametrize("kind", ["raise", "kill"])
def test_why_another_process_is_lost_reaches_people_and_the_log(recipe, tmp_path, kind):  # noqa: F811
    out = tmp_path / "out"
    given = [*fit(recipe[0], out), "--trainer.strategy", "ddp"]
    code, said = trained([*given, *fault(kind, rank=1, at=3, in_pass="train")], tmp_path / "a", 2)
    reason = {"raise": "RuntimeError: the cable fell out", "kill": "no sign of life for "}[kind]
    assert code == 1, said
    assert f"error: lost process 1: {reason}" in said
    assert f"error: lost process 1: {reason}" in (out / "log.txt").read_text()
    assert not (out / "run.lock").exists()


def test_the_others_end_when_the_first_process_fails(recipe, tmp_path):  # noqa: F811
    given = [*fit(recipe[0], tmp_path / "out"), "--trainer.strategy", "ddp"]
    run = Run([*given, *fault("raise", at=3, in_pass="train")], tmp_path / "log", 2, script="train")
    said = run.finish(120)[1]
    assert run.codes == [1, 1]
    assert "error: RuntimeError: the cable fell out" in said
