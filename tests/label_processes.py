"""Labelling runs of one or several processes that can be killed, stopped and looked at.

Importing Lightning takes seconds: a fork server does it once, and every process of a run is a
fork of it that is told its rank as torchrun or SLURM tell it.
"""

import importlib
import multiprocessing
import os
import signal
import socket
import sys
import time
from pathlib import Path

from tests.label_runs import TINY

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["label", "train", "tests.faults.parts"])
FAULT = "tests.faults.parts.Fault"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def torchrun_variables(rank: int, world_size: int, port: int) -> dict[str, str]:
    """What torchrun tells the processes of one machine."""
    return {
        **{"RANK": str(rank), "LOCAL_RANK": str(rank), "GROUP_RANK": "0"},
        **{"WORLD_SIZE": str(world_size), "LOCAL_WORLD_SIZE": str(world_size)},
        **{"MASTER_ADDR": "localhost", "MASTER_PORT": str(port), "TORCHELASTIC_RUN_ID": "x"},
    }


def slurm_variables(rank: int, world_size: int, port: int) -> dict[str, str]:
    """What `srun` tells the tasks of one node."""
    return {
        **{"SLURM_JOB_ID": "4711", "SLURM_JOB_NAME": "label", "SLURM_NODELIST": "localhost"},
        **{"SLURM_NTASKS": str(world_size), "SLURM_NTASKS_PER_NODE": str(world_size)},
        **{"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)},
        **{"SLURM_NNODES": "1", "SLURM_NODEID": "0", "MASTER_PORT": str(port)},
    }


def arguments(root: Path, out: Path, *options: str) -> list[str]:
    """Of a run over a tiny Cityscapes tree."""
    return [
        *("--config", str(TINY), "--out", str(out)),
        *("--data.init_args.root", str(root)),
        *("--data.init_args.depth.init_args.root", str(root / "depth")),
        *options,
    ]


def fault(kind: str, rank: int = 0, at: int = 1, in_pass: str = "label") -> tuple[str, ...]:
    """The options that make one process fail at its batch `at` of a pass."""
    values = {"kind": kind, "rank": rank, "at": at, "in_pass": in_pass}
    return (f"--trainer.callbacks+={FAULT}", *(f"--trainer.callbacks.{n}={v}" for n, v in values.items()))  # fmt: skip  # noqa: E501


class Run:
    """A started run; `finish` waits for it.

    Args:
        given: Arguments of `label.py`.
        world_size: Processes; each is a fork.
        variables: How they are told their rank.
        log: Folder for what each of them prints.
        script: `label` or `train`.
    """

    def __init__(self, given, log, world_size=1, variables=torchrun_variables, script="label"):
        port = free_port()
        log.mkdir(parents=True, exist_ok=True)
        if world_size > 1:
            given = [*given, "--trainer.devices", str(world_size)]
        self.logs = [log / f"{rank}.txt" for rank in range(world_size)]
        self.processes = [
            FORKS.Process(
                target=run_script,
                args=(
                    script,
                    given,
                    variables(rank, world_size, port) if world_size > 1 else {},
                    str(self.logs[rank]),
                ),
            )
            for rank in range(world_size)
        ]
        for process in self.processes:
            process.start()

    def finish(self, timeout_s=90):
        """Waits; returns the exit code of the first process and what it wrote to stderr."""
        limit = time.monotonic() + timeout_s
        for process in self.processes:
            process.join(max(0.1, limit - time.monotonic()))
        hung = [p.pid for p in self.processes if p.is_alive()]
        for process in self.processes:
            process.kill()
            process.join(10)
        assert not hung, f"{len(hung)} processes hung: {[log.read_text() for log in self.logs]}"
        return self.codes[0], self.logs[0].read_text()

    @property
    def codes(self):
        """Exit codes by rank, as a shell gives them."""
        return [128 - p.exitcode if p.exitcode < 0 else p.exitcode for p in self.processes]

    def send(self, number, rank=0):
        os.kill(self.processes[rank].pid, number)

    def interrupt_all(self, least_children):
        """Sends SIGINT to the one process and to what it has started."""
        (main,) = self.processes
        children = Path(f"/proc/{main.pid}/task/{main.pid}/children").read_text().split()
        assert len(children) >= least_children
        for pid in (*map(int, children), main.pid):
            os.kill(pid, signal.SIGINT)

    def wait_for(self, out, count, folder="panoptic", timeout_s=60):
        """Until so many labels are written."""
        limit = time.monotonic() + timeout_s
        while len(list((out / folder).rglob("*.png"))) < count:
            assert time.monotonic() < limit, "no labels came"
            assert any(p.is_alive() for p in self.processes), self.logs[0].read_text()
            time.sleep(0.02)


def run_script(script, given, variables, log):
    """The body of a process."""
    import cli

    main = importlib.import_module(script).main
    multiprocessing.set_start_method("fork", force=True)  # as in a process of its own
    os.environ |= {"OMP_NUM_THREADS": "1", **variables}
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = [f"{script}.py", *given]
    sys.exit(cli.exit_code(main, given))
