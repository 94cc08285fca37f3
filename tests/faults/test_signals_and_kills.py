"""Faults 3, 4, 9, 12 and 19: stops, kills at any moment, and two runs in one folder."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from relief.formats.files.atomic import is_temporary
from relief.formats.label_store import LabelStore
from relief.models.codebooks.codebook import Codebook
from tests.label_processes import Run, arguments, fault
from tests.label_runs import label_bytes

ROOT = Path(__file__).parent.parent.parent
SLOW = fault("slow", rank=-1, in_pass="label")
CODES = {signal.SIGTERM: 143, signal.SIGINT: 130}


def assert_nothing_is_half_written(out):
    """Every final name holds a whole file."""
    for path in (out / "panoptic").rglob("*.png"):
        if not is_temporary(path):
            key = path.relative_to(out / "panoptic").with_suffix("").as_posix()
            assert LabelStore(out).readable(key) or not (out / "semantic" / f"{key}.png").exists()
    if (out / "codebook.safetensors").exists():
        Codebook().load(out / "codebook.safetensors")


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.faults)]
)
def test_a_signal_stops_after_the_image_at_hand_and_the_rest_is_labelled_later(
    seven, finish_the_rest, tmp_path, number
):
    out = tmp_path / "out"
    run = Run(arguments(seven, out, *SLOW), tmp_path / "log")
    run.wait_for(out, 2)
    run.send(number)
    code, said = run.finish()
    assert code == CODES[number], said
    done = len(list((out / "panoptic").rglob("*.png")))
    assert 2 <= done < 7
    line = f"stopped by {number.name} after {done} of 7 images. "
    assert said.endswith(f"{line}Run the same command again to label the rest.\n")
    assert not [path for path in out.rglob("*") if is_temporary(path)]
    finish_the_rest(out, done)


@pytest.mark.faults
@pytest.mark.parametrize("in_pass", ["fit", "observe"])
def test_a_signal_in_the_codebook_passes(seven, uninterrupted, tmp_path, in_pass):
    out = tmp_path / "out"
    options = fault("stop", at=1, in_pass=in_pass)
    code, said = Run(arguments(seven, out, *options), tmp_path / "log").finish()
    assert code == 143, said
    assert "stopped by SIGTERM after 0 of 7 images. Run the same command again to label" in said
    assert not (out / "codebook.safetensors").exists()
    assert Run(arguments(seven, out), tmp_path / "again").finish()[0] == 0
    assert label_bytes(out) == uninterrupted


@pytest.mark.faults
def test_a_signal_to_all_processes_stops_all(seven, uninterrupted, tmp_path):
    out = tmp_path / "out"
    run = Run(arguments(seven, out, *SLOW), tmp_path / "log", 2)
    run.wait_for(out, 2)
    for rank in (0, 1):
        run.send(signal.SIGTERM, rank)
    _, said = run.finish()
    assert run.codes == [143, 143], said
    assert "stopped by SIGTERM after " in said
    assert Run(arguments(seven, out), tmp_path / "again", 2).finish()[0] == 0
    assert label_bytes(out) == uninterrupted


@pytest.mark.faults
def test_reading_processes_leave_signals_to_the_run(seven, tmp_path):
    """As Ctrl-C in a terminal: the signal goes to every process of the group."""
    out = tmp_path / "out"
    options = ("--data.init_args.num_workers", "2", *SLOW)
    run = Run(arguments(seven, out, *options), tmp_path / "log")
    run.wait_for(out, 2)
    run.interrupt_all(least_children=2)
    code, said = run.finish()
    assert code == 130, said
    assert "Traceback" not in said


def one_kill(seven, out, log, after_s, world_size=1):
    """Kills a run at a moment; returns whether it was still running."""
    run = Run(arguments(seven, out), log, world_size)
    time.sleep(after_s)
    alive = run.processes[0].is_alive()
    for process in run.processes:
        process.kill()
    for process in run.processes:
        process.join(20)
    assert_nothing_is_half_written(out)
    return alive


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_kills_at_30_moments_leave_nothing_unreadable_and_the_rerun_the_same_bytes(
    seven, uninterrupted, tmp_path
):
    begun = time.monotonic()
    assert Run(arguments(seven, tmp_path / "timed"), tmp_path / "log").finish()[0] == 0
    whole_s = time.monotonic() - begun
    moments = random.Random(0)
    caught = 0
    for number in range(30):
        out = tmp_path / str(number)
        caught += one_kill(seven, out, tmp_path / "log", moments.uniform(0.1, whole_s))
        code, said = Run(arguments(seven, out), tmp_path / "log").finish()
        assert code == 0, said
        assert label_bytes(out) == uninterrupted, number
        assert not [path for path in out.rglob("*") if is_temporary(path)]
    assert caught >= 15


@pytest.mark.faults
def test_kills_of_two_processes_at_6_moments(seven, uninterrupted, tmp_path):
    moments = random.Random(1)
    for number in range(6):
        out = tmp_path / str(number)
        one_kill(seven, out, tmp_path / "log", moments.uniform(0.5, 3.0), world_size=2)
        code, said = Run(arguments(seven, out), tmp_path / "log", number % 3 + 1).finish()
        assert code == 0, said
        assert label_bytes(out) == uninterrupted, number


@pytest.mark.faults
def test_a_cut_label_is_made_again_and_told(seven, uninterrupted, tmp_path):
    out = tmp_path / "out"
    assert Run(arguments(seven, out), tmp_path / "log").finish()[0] == 0
    cut = sorted((out / "panoptic").rglob("*.png"))[3]
    cut.write_bytes(cut.read_bytes()[:-20])
    code, said = Run(arguments(seven, out), tmp_path / "again").finish()
    assert code == 0, said
    assert "re-labelling bonn/bonn_000013_000019: existing label is not readable" in said
    assert label_bytes(out) == uninterrupted


@pytest.mark.faults
def test_the_second_run_in_a_folder_stops(seven, uninterrupted, tmp_path):
    out = tmp_path / "out"
    first = Run(arguments(seven, out, *SLOW), tmp_path / "first")
    first.wait_for(out, 1)
    second = Run(arguments(seven, out), tmp_path / "second")
    code, said = second.finish()
    assert code == 2
    pid = first.processes[0].pid
    line = f"error: another run is writing to {out} (pid {pid}). Wait or use another folder."
    assert line in said
    assert first.finish()[0] == 0
    assert label_bytes(out) == uninterrupted


def launched(launcher, given, log):
    """A run by a launcher of its own, imports and all."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [*launcher, str(ROOT / "label.py"), *given]
    with log.open("w") as file:
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=file)


def wait_for_labels(out, count, process):
    limit = time.monotonic() + 240
    while len(list((out / "panoptic").rglob("*.png"))) < count:
        assert time.monotonic() < limit
        assert process.poll() is None
        time.sleep(0.05)


@pytest.mark.faults
def test_lightnings_own_launcher(seven, uninterrupted, tmp_path):
    """Stopped by a signal to the first process alone, then finished on two."""
    out, log = tmp_path / "out", tmp_path / "log.txt"
    two = ("--trainer.devices", "2")
    process = launched([sys.executable], arguments(seven, out, *two, *SLOW), log)
    wait_for_labels(out, 2, process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == 143, log.read_text()
    assert "stopped by SIGTERM after " in log.read_text()
    done = len(list((out / "panoptic").rglob("*.png")))
    process = launched([sys.executable], arguments(seven, out, *two), log)
    assert process.wait(240) == 0, log.read_text()
    assert f"{done} of 7 images already labelled" in log.read_text()
    assert label_bytes(out) == uninterrupted


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["raise", "kill"])
def test_lightnings_own_launcher_with_a_lost_child(seven, tmp_path, kind):
    out, log = tmp_path / "out", tmp_path / "log.txt"
    given = arguments(seven, out, "--trainer.devices", "2", *fault(kind, rank=1))
    process = launched([sys.executable], given, log)
    assert process.wait(240) == 1, log.read_text()
    assert re.search("error: labelled [45] of 7 images; missing: ", log.read_text())


@pytest.mark.faults
def test_torchrun(seven, uninterrupted, tmp_path):
    out, log = tmp_path / "out", tmp_path / "log.txt"
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2"]
    launcher += ["--master_port=0", "--rdzv_backend=c10d", "--rdzv_endpoint=localhost:0"]
    two = ("--trainer.devices", "2")
    process = launched(launcher, arguments(seven, out, *two, *SLOW), log)
    wait_for_labels(out, 2, process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == 1, log.read_text()
    assert not [path for path in out.rglob("*") if is_temporary(path)]
    process = launched(launcher, arguments(seven, out, *two), log)
    assert process.wait(240) == 0, log.read_text()
    assert label_bytes(out) == uninterrupted
