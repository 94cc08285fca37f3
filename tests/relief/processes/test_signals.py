import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from relief.processes.signals import (
    end_reading_processes,
    end_with_the_run,
    leave_signals_to_the_run,
    noted_signal,
    stopped_by_signals,
    take_signals,
)
from relief.schema.errors import StoppedBySignal


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_and_what_was_there_before_is_put_back(number):
    before = signal.getsignal(number)
    with pytest.raises(StoppedBySignal) as caught, stopped_by_signals():
        os.kill(os.getpid(), number)
        time.sleep(5)
    assert caught.value.number == number
    assert signal.getsignal(number) is before
    assert noted_signal() is None


def test_what_fails_after_a_signal_fails_because_of_it():
    with pytest.raises(StoppedBySignal), stopped_by_signals():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            raise RuntimeError("DataLoader worker is killed by signal: Terminated.")


def test_forks_do_not_take_signals():
    def stop(number, frame):
        raise StoppedBySignal(number)

    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    take_signals(stop)
    fork = multiprocessing.get_context("fork").Process(target=time.sleep, args=(0.5,))
    fork.start()
    for number, handler in zip((signal.SIGTERM, signal.SIGINT), before, strict=True):
        signal.signal(number, handler)
    time.sleep(0.1)
    os.kill(fork.pid, signal.SIGTERM)
    fork.join(10)
    assert fork.exitcode == 0


def reads(ready):
    leave_signals_to_the_run(0)
    ready.set()
    time.sleep(60)


def test_reading_processes_leave_signals_to_the_run_and_end_with_it():
    fork = multiprocessing.get_context("fork")
    ready = fork.Event()
    reader = fork.Process(target=reads, args=(ready,), daemon=True)
    reader.start()
    assert ready.wait(10)
    for number in (signal.SIGTERM, signal.SIGINT):
        os.kill(reader.pid, number)
    reader.join(0.2)
    assert reader.is_alive()
    before = signal.getsignal(signal.SIGCHLD)
    end_reading_processes()
    signal.signal(signal.SIGCHLD, before)
    assert reader.exitcode == -signal.SIGKILL


def starts_a_worker(pids):
    worker = multiprocessing.get_context("fork").Process(target=works, args=(pids,))
    worker.start()
    time.sleep(60)


def works(pids):
    end_with_the_run()
    pids.put(os.getpid())
    time.sleep(60)


def test_workers_do_not_outlive_a_killed_run():
    fork = multiprocessing.get_context("fork")
    pids = fork.Queue()
    run = fork.Process(target=starts_a_worker, args=(pids,))
    run.start()
    worker = pids.get(timeout=20)
    run.kill()
    run.join(10)
    limit = time.monotonic() + 10
    while alive(worker):
        assert time.monotonic() < limit
        time.sleep(0.05)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False
