import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from relief.formats.files.lock import LOCK, FolderLock, held, started, this_process
from relief.schema.errors import UsageError

HOLD = """
import sys, time
from pathlib import Path
from relief.formats.files.lock import FolderLock
FolderLock(Path(sys.argv[1])).acquire()
print("held", flush=True)
time.sleep(60)
"""


def lay_down(folder, age_s=0.0, **changes):
    """A lock as another run leaves it."""
    path = folder / LOCK
    path.write_text(json.dumps({**this_process(), "token": "theirs", **changes}))
    at = time.time() - age_s
    os.utime(path, (at, at))
    return path


def test_a_lock_is_there_while_it_is_held(tmp_path):
    lock = FolderLock(tmp_path)
    lock.acquire()
    told = json.loads((tmp_path / LOCK).read_text())
    assert (told["host"], told["pid"]) == (socket.gethostname(), os.getpid())
    lock.release()
    assert list(tmp_path.iterdir()) == []
    lock.release()


def test_a_living_process_keeps_its_folder_and_a_killed_one_does_not(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    said = f"another run is writing to {tmp_path} (pid {holder.pid}). Wait or use another folder."
    with pytest.raises(UsageError, match=re.escape(said)):
        FolderLock(tmp_path).acquire()
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    lock = FolderLock(tmp_path)
    lock.acquire()
    assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()
    lock.release()


def test_another_host_keeps_its_folder_until_a_minute_without_heartbeat(tmp_path):
    lay_down(tmp_path, age_s=50, host="elsewhere", pid=7)
    with pytest.raises(UsageError, match=r"\(pid 7 on elsewhere\)"):
        FolderLock(tmp_path).acquire()
    lay_down(tmp_path, age_s=70, host="elsewhere", pid=7)
    lock = FolderLock(tmp_path)
    lock.acquire()
    lock.release()
    assert list(tmp_path.iterdir()) == []


def test_a_reused_process_number_is_not_the_holder(tmp_path):
    lay_down(tmp_path, pid=os.getppid(), started="1")
    FolderLock(tmp_path).acquire()


def test_a_lock_of_nonsense_counts_until_it_is_old(tmp_path):
    (tmp_path / LOCK).write_text("")
    with pytest.raises(UsageError, match="pid unknown"):
        FolderLock(tmp_path).acquire()
    os.utime(tmp_path / LOCK, (0, 0))
    FolderLock(tmp_path).acquire()


def test_the_heartbeat_goes_on(tmp_path):
    lock = FolderLock(tmp_path, stale_s=0.4)
    lock.acquire()
    os.utime(tmp_path / LOCK, (0, 0))
    limit = time.monotonic() + 10
    while (tmp_path / LOCK).stat().st_mtime == 0 and time.monotonic() < limit:
        time.sleep(0.05)
    assert (tmp_path / LOCK).stat().st_mtime > 0
    lock.release()


def test_a_run_whose_folder_was_taken_over_is_stopped(tmp_path):
    heard = []
    before = signal.signal(signal.SIGTERM, lambda *_: heard.append("stop"))
    try:
        lock = FolderLock(tmp_path, stale_s=0.4)
        lock.acquire()
        lay_down(tmp_path, host="elsewhere")
        limit = time.monotonic() + 10
        while not heard and time.monotonic() < limit:
            time.sleep(0.05)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == ["stop"]
    lock.release()
    assert (tmp_path / LOCK).exists()  # it is theirs


def test_processes_are_told_apart_by_their_start():
    assert started(os.getpid()) == this_process()["started"]
    assert started(2**22 + 1) is None


@pytest.mark.parametrize("other", [{"boot": "another"}, {"namespace": "pid:[1]"}])
def test_process_numbers_of_another_container_say_nothing(tmp_path, other):
    lay_down(tmp_path, age_s=5, pid=999_999, **other)
    with pytest.raises(UsageError, match="another run is writing"):
        FolderLock(tmp_path).acquire()
    lay_down(tmp_path, age_s=70, pid=os.getpid(), started=started(os.getpid()), **other)
    lock = FolderLock(tmp_path)
    lock.acquire()
    lock.release()


def test_a_lock_that_is_moved_for_a_moment_does_not_stop_its_holder(tmp_path, monkeypatch):
    killed = []
    monkeypatch.setattr(os, "kill", lambda *process: killed.append(process))
    lock = FolderLock(tmp_path, stale_s=0.2)
    lock.acquire()
    (tmp_path / LOCK).rename(tmp_path / ".aside")
    time.sleep(0.3)
    assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()  # laid down again
    (tmp_path / ".aside").rename(tmp_path / LOCK)
    time.sleep(0.2)
    lock.release()
    assert killed == []
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_held_for_a_while_and_not_left_behind_empty(tmp_path):
    with held(tmp_path / "a"):
        assert (tmp_path / "a" / LOCK).exists()
    assert not (tmp_path / "a").exists()
    with held(tmp_path / "b"):
        (tmp_path / "b/x").touch()
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["x"]
    parent = os.getppid()
    lock = lay_down(tmp_path / "b", pid=parent, started=started(parent))
    with pytest.raises(UsageError, match="another run is writing to"), held(tmp_path / "b"):
        raise AssertionError
    assert lock.exists()
