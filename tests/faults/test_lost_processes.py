"""Faults 1, 2, 5 and 13: processes that raise, are killed or hang; any number of them."""

import pytest

from relief.formats.label_store import LabelStore
from tests.label_processes import Run, arguments, fault, slurm_variables, torchrun_variables
from tests.label_runs import label_bytes

REST = "Run the same command again to label the rest."


def watched(**limits):
    """The strategy with shorter limits than its own."""
    options = (f"--trainer.strategy.{name}={seconds}" for name, seconds in limits.items())
    return ("--trainer.strategy=callbacks.watched_ddp.WatchedDDP", *options)


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["raise", "kill"])
def test_a_lost_process_is_told_and_the_same_command_labels_the_rest(
    seven, finish_the_rest, tmp_path, kind
):
    out = tmp_path / "out"
    options = (*watched(stale_s=6), *fault(kind, rank=1))
    code, said = Run(arguments(seven, out, *options), tmp_path / "log", 2).finish()
    assert code == 1, said
    store = LabelStore(out)
    done = len(store.keys)
    assert done == 5 or (kind == "kill" and done == 4)  # one may have waited to be written
    assert f"error: labelled {done} of 7 images; missing: bonn/bonn_00001" in said
    assert f"({7 - done} in all). {REST}" in said
    assert all(store.readable(key) for key in store.keys)
    finish_the_rest(out, done)


@pytest.mark.faults
def test_a_process_that_hangs_is_given_up(seven, tmp_path):
    out = tmp_path / "out"
    options = (*watched(patience_s=2), *fault("hang", rank=1))
    run = Run(arguments(seven, out, *options), tmp_path / "log", 2)
    run.processes[0].join(60)
    assert run.processes[0].exitcode == 1
    said = run.logs[0].read_text()
    assert "lost process 1: no progress for 2 s" in said
    assert "error: labelled 5 of 7 images" in said
    run.processes[1].kill()


@pytest.mark.faults
@pytest.mark.parametrize("in_pass", ["fit", "observe"])
@pytest.mark.parametrize("kind", ["raise", "kill"])
def test_a_process_lost_in_the_codebook_passes_ends_the_run(
    seven, uninterrupted, tmp_path, kind, in_pass
):
    out = tmp_path / "out"
    options = (*watched(stale_s=6), *fault(kind, rank=1, at=0, in_pass=in_pass))
    code, said = Run(arguments(seven, out, *options), tmp_path / "log", 2).finish()
    assert code == 1, said
    assert "error: lost process 1: " in said
    assert "Run the same command again" in said
    assert Run(arguments(seven, out), tmp_path / "again").finish()[0] == 0
    assert label_bytes(out) == uninterrupted


@pytest.mark.faults
def test_the_others_end_when_the_first_process_is_killed(seven, tmp_path):
    options = fault("kill", rank=0)
    run = Run(arguments(seven, tmp_path / "out", *options), tmp_path / "log", 2)
    run.finish()
    assert run.codes[0] == 128 + 9
    assert run.codes[1] == 1


@pytest.mark.parametrize(
    ("world_size", "variables", "options"),
    [
        (3, torchrun_variables, ()),
        pytest.param(2, slurm_variables, ("--data.init_args.batch_size", "4"), marks=pytest.mark.faults),  # noqa: E501
        pytest.param(2, torchrun_variables, ("--data.init_args.num_workers", "2"), marks=pytest.mark.faults),  # noqa: E501
    ],
)  # fmt: skip
def test_any_number_of_processes_gives_the_same_bytes(
    seven, uninterrupted, tmp_path, world_size, variables, options
):
    out = tmp_path / "out"
    run = Run(arguments(seven, out, *options), tmp_path / "log", world_size, variables)
    code, said = run.finish()
    assert code == 0, said
    assert set(run.codes) == {0}
    assert label_bytes(out) == uninterrupted


@pytest.mark.faults
def test_one_image_on_two_processes(seven, tmp_path):
    out = tmp_path / "out"
    run = Run(arguments(seven, out, "--limit", "1"), tmp_path / "log", 2)
    code, said = run.finish()
    assert (code, run.codes[1]) == (0, 0), said
    assert len(LabelStore(out).keys) == 1


@pytest.mark.faults
def test_a_resume_with_fewer_images_than_processes(seven, uninterrupted, tmp_path):
    out = tmp_path / "out"
    assert Run(arguments(seven, out), tmp_path / "log").finish()[0] == 0
    next((out / "panoptic").rglob("*.png")).unlink()
    code, said = Run(arguments(seven, out), tmp_path / "again", 3).finish()
    assert code == 0, said
    assert "6 of 7 images already labelled, 1 to do" in said
    assert label_bytes(out) == uninterrupted
