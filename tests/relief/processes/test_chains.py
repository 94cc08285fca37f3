import os
import signal
import subprocess
import sys

import pytest

from relief.processes.chains import Command, run_chains
from relief.processes.signals import stopped_by_signals
from relief.schema.errors import StoppedBySignal, UsageError

CHILD = """
import pathlib, signal, sys, time
def stop(number, frame):
    pathlib.Path(sys.argv[1]).write_text(str(number))
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, stop)
pathlib.Path(sys.argv[1]).write_text("ready")
time.sleep(60)
"""


def shell(what, line):
    return Command(what, ["bash", "-c", line], line)


def test_chains_run_beside_each_other_and_their_commands_in_order(tmp_path):
    """Each first command waits for the other chain's; the second needs the first."""

    def chain(own, other):
        wait = f"touch {own}; for i in $(seq 200); do test -e {other} && exit 0; sleep .05; done"
        return [shell(own, f"{wait}; exit 1"), shell(own, f"test -e {own} && touch {own}2")]

    said = []
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    run_chains([chain(a, b), chain(b, a)], 2, said.append)
    assert (tmp_path / "a2").exists() and (tmp_path / "b2").exists()
    assert len(said) == 4


def test_chains_beside_each_other_share_the_cores(tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(6)))
    told = tmp_path / "told"
    command = shell("a", f"echo -n ${{OMP_NUM_THREADS:-all}} >> {told}")
    run_chains([[command], [command]], 2, print)
    run_chains([[command]], 2, print)
    assert told.read_text() == "33all"


def test_a_failed_command_stops_the_others(tmp_path):
    told = tmp_path / "told"
    slow = Command("slow", [sys.executable, "-c", CHILD, str(told)], "slow")
    failing = f"while ! grep -qs ready {told}; do sleep 0.05; done; exit 3"
    with pytest.raises(UsageError, match=r"b could not be made: .*exit code 3\)\. Run it alone"):
        run_chains([[slow, shell("never", "touch never")], [shell("b", failing)]], 2, print)
    assert told.read_text() == str(int(signal.SIGTERM))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_all_hear_of_a_signal_to_this_process_and_are_waited_for(tmp_path, number):
    told = [tmp_path / "one", tmp_path / "two"]
    waits = " ".join(f"while ! grep -qs ready {one}; do sleep 0.05; done;" for one in told)
    chains = [[Command("a", [sys.executable, "-c", CHILD, str(one)], "a")] for one in told]
    stopped = pytest.raises(StoppedBySignal)
    kill = f"{waits} kill -{int(number)} {os.getpid()}"
    with subprocess.Popen(["bash", "-c", kill]), stopped, stopped_by_signals():
        run_chains(chains, 2, print)
    assert [one.read_text() for one in told] == [str(int(number))] * 2
