"""One run per output folder: a lock with host, process and heartbeat."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from relief.formats.files.atomic import writable
from relief.schema.errors import UsageError
from relief.schema.plain_text import json_of

LOCK = "run.lock"
STALE_S = 60.0
log = logging.getLogger("relief")


class FolderLock:
    """Holds a folder for this process while it lives.

    The holder touches the file every few seconds. A lock whose process is gone from this host, or
    that nobody touched for `stale_s`, is taken over: also another host's. Only where process
    numbers mean the same, in one boot and one namespace, a missing process counts as gone:
    containers share a host name. Ages are differences of two times of the file system itself, so
    the clocks of the hosts do not matter.

    Args:
        folder: Must exist when the lock is taken.
        stale_s: Age of a heartbeat that no longer counts.
        name: Of the file.
    """

    def __init__(self, folder: Path, stale_s: float = STALE_S, name: str = LOCK) -> None:
        self.path = Path(folder) / name
        self._stale_s = stale_s
        self._own: str | None = None
        self._released = threading.Event()

    def acquire(self) -> None:
        """Takes the folder.

        Raises:
            UsageError: Another run holds it, or the disk is full.
        """
        holder = self.attempt()
        if holder is not None:
            raise UsageError(_held(self.path.parent, holder))

    def attempt(self) -> str | None:
        """Takes the folder, unless another run that lives holds it: returns that one then.

        Raises:
            UsageError: The disk is full.
        """
        own = json.dumps({**this_process(), "token": uuid.uuid4().hex})
        while not _create(self.path, own):
            holder = _read(self.path)
            if holder is None:
                continue  # released this moment
            if not self._is_stale(holder):
                return holder
            self._remove(holder)
        self._own = own
        self._released.clear()
        threading.Thread(target=self._beat, daemon=True, name="lock").start()
        return None

    def release(self) -> None:
        """Gives the folder back; nothing happens when it is not held."""
        self._released.set()
        if self._own is not None and _read(self.path) == self._own:
            self.path.unlink(missing_ok=True)
        self._own = None

    def _is_stale(self, holder: str) -> bool:
        told = _parsed(holder)
        if all(told.get(name) == value for name, value in this_system().items()):
            pid = int(told.get("pid", 0))
            if pid == os.getpid() or started(pid) != told.get("started"):
                return True  # it ended; the number may be another process's by now
        probe = self.path.with_name(f".{uuid.uuid4().hex}")
        try:
            probe.touch()
            return probe.stat().st_mtime - self.path.stat().st_mtime > self._stale_s
        except FileNotFoundError:
            return True
        finally:
            probe.unlink(missing_ok=True)

    def _remove(self, holder: str) -> None:
        """Removes a stale lock, and only that one, when several runs find it at once."""
        aside = self.path.with_name(f".{uuid.uuid4().hex}")
        try:
            self.path.rename(aside)
        except FileNotFoundError:
            return
        if _read(aside) != holder:  # somebody was faster and holds a new one
            aside.rename(self.path)
            return
        aside.unlink(missing_ok=True)

    def _beat(self) -> None:
        own = self._own
        while not self._released.wait(min(5.0, self._stale_s / 4)):
            holder = _read(self.path)
            if holder is None and own is not None:
                # Another run that looks whether this lock is stale moves it away for a moment.
                with suppress(UsageError):
                    _create(self.path, own)
                continue
            if holder != own:
                if not (self._released.is_set() or _is_this_process(holder)):
                    log.error("%s was taken over by another run; stopping", self.path.parent)
                    os.kill(os.getpid(), signal.SIGTERM)
                return
            try:
                os.utime(self.path)
            except OSError:  # a full or absent disk: the writers will say so
                continue


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Holds a folder for a while; one that was made for it and stayed empty is removed.

    Raises:
        UsageError: It cannot be written, or another run holds it.
    """
    with writable(folder):
        lock = FolderLock(folder)
        lock.acquire()
        try:
            yield
        finally:
            lock.release()


def this_process() -> dict[str, Any]:
    """Returns the system, number and start of this process."""
    return {**this_system(), "pid": os.getpid(), "started": started(os.getpid())}


def this_system() -> dict[str, str | None]:
    """Returns host name, boot and process-id namespace: where a process number means something."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    namespace = Path("/proc/self/ns/pid")
    return {
        "host": socket.gethostname(),
        "boot": boot.read_text(encoding="ascii").strip() if boot.is_file() else None,
        "namespace": str(namespace.readlink()) if namespace.is_symlink() else None,
    }


def started(pid: int) -> str | None:
    """When a process of this host began, in ticks since boot; `None` when there is none.

    Without `/proc` it is `"alive"` for every process that exists.
    """
    if not Path("/proc/self/stat").exists():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            return "alive"
        return "alive"
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold blanks
    return None if fields[0] in "ZX" else fields[19]


def _is_this_process(holder: str | None) -> bool:
    return this_process().items() <= _parsed(holder or "").items()


def _create(path: Path, text: str) -> bool:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    except OSError as error:
        path.unlink(missing_ok=True)
        msg = f"cannot write {path}: {error.strerror or error}. Make room or use another folder."
        raise UsageError(msg) from error
    return True


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _parsed(holder: str) -> dict[str, Any]:
    try:
        told = json_of(holder)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _held(folder: Path, holder: str) -> str:
    told = _parsed(holder)
    host = told.get("host")
    where = f" on {host}" if host and host != socket.gethostname() else ""
    who = f"pid {told.get('pid', 'unknown')}{where}"
    return f"another run is writing to {folder} ({who}). Wait or use another folder."
