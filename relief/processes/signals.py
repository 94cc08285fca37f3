"""SIGTERM and SIGINT: the run stops in order, and every process that it started with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from relief.schema.errors import StoppedBySignal

SIGNALS = (signal.SIGTERM, signal.SIGINT)
_noted: list[int] = []  # as signals themselves, one for the whole process


def note_signal(number: int) -> None:
    """Notes that a signal asked this process to stop."""
    _noted.append(number)


def noted_signal() -> int | None:
    """Returns the first signal that asked this process to stop, `None` while there is none."""
    return _noted[0] if _noted else None


def take_signals(handler: Any) -> None:
    """Makes a function hear of both signals; only the main thread can.

    Forks of this process do not hear it: they are about to leave signals to the run.
    """
    process = os.getpid()

    def hear(number: int, frame: FrameType | None) -> None:
        if os.getpid() == process:
            handler(number, frame)

    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            signal.signal(number, hear if callable(handler) else handler)


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """While it lasts both signals raise `StoppedBySignal`, where a callback does not say more.

    Whatever fails after a signal fails because of it: a process that ended, a pipe that broke.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        note_signal(number)
        take_signals(signal.SIG_IGN)  # once is enough
        raise StoppedBySignal(number)

    before = [signal.getsignal(number) for number in SIGNALS]
    _noted.clear()
    take_signals(stop)
    try:
        yield
    except Exception as error:
        number = noted_signal()
        if number is None or isinstance(error, StoppedBySignal):
            raise
        raise StoppedBySignal(number) from error
    finally:
        _noted.clear()
        if threading.current_thread() is threading.main_thread():
            for number, handler in zip(SIGNALS, before, strict=True):
                signal.signal(number, handler)


def leave_signals_to_the_run(worker: int) -> None:
    """For reading processes: a signal to all of them must not end the image at hand."""
    del worker
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def end_reading_processes() -> None:
    """Ends what still reads when the run is over; it hears no other signal, and holds nothing."""
    readers = [child for child in multiprocessing.active_children() if child.daemon]
    if readers:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch would raise that they ended
    for reader in readers:
        reader.kill()
    for reader in readers:
        reader.join()


def end_with_the_run() -> None:
    """For the processes of a pool: Ctrl-C is the run's, and none of them outlives it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: Any) -> None:
    parent.join()
    os._exit(1)
