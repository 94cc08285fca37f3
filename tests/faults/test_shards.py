"""Workers on shards: one, three at once, killed at random; the same bytes each time."""

import random
import time

import pytest

from tests.conftest import draw_frame
from tests.label_processes import Run, arguments
from tests.label_runs import run_label

PLAN = ("--shards", "none", "--shard_size", "1")
WORK = ("--shards", "auto")


@pytest.fixture(scope="module")
def twenty(tmp_path_factory):
    """Three train and twenty val frames, and their codebook and plan of twenty shards."""
    root = tmp_path_factory.mktemp("twenty") / "cityscapes"
    for number in range(3):
        draw_frame(root, "train", "aachen", number)
    for number in range(20):
        draw_frame(root, "val", "bonn", 10 + number)
    return root


@pytest.fixture(scope="module")
def one_worker(twenty, tmp_path_factory):
    """The shards that one worker makes, as bytes by name."""
    out = tmp_path_factory.mktemp("one") / "out"
    assert run_label(twenty, out, *PLAN) == 0
    assert run_label(twenty, out, *WORK) == 0
    return shard_bytes(out)


def shard_bytes(out):
    return {path.name: path.read_bytes() for path in sorted((out / "shards").iterdir())}


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_three_workers_leave_the_shards_of_one(twenty, one_worker, tmp_path):
    out = tmp_path / "out"
    assert run_label(twenty, out, *PLAN) == 0
    workers = [Run(arguments(twenty, out, *WORK), tmp_path / str(i)) for i in range(3)]
    assert [worker.finish(300)[0] for worker in workers] == [0, 0, 0]
    said = [worker.logs[0].read_text() for worker in workers]
    assert sum(text.count(": 1 images") for text in said) == 20  # each shard by one of them
    assert shard_bytes(out) == one_worker
    assert run_label(twenty, out, "--finish", "true") == 0


@pytest.mark.faults
@pytest.mark.timeout(1200)
def test_workers_killed_at_30_moments_leave_the_shards_of_one(twenty, one_worker, tmp_path):
    out, moments, killed = tmp_path / "out", random.Random(0), 0
    assert run_label(twenty, out, *PLAN) == 0
    for number in range(10):
        workers = [Run(arguments(twenty, out, *WORK), tmp_path / f"{number}_{i}") for i in range(3)]
        time.sleep(moments.uniform(0.2, 1.5))  # all shards take three workers about 5 s
        for worker in workers:
            killed += worker.processes[0].is_alive()
            worker.processes[0].kill()
            worker.processes[0].join(20)
    assert killed >= 10
    code, said = Run(arguments(twenty, out, *WORK), tmp_path / "last").finish(300)
    assert code == 0, said
    assert run_label(twenty, out, "--finish", "true") == 0
    assert shard_bytes(out) == one_worker
