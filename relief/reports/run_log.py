"""The log of a run: plain lines on the terminal, the same in OUT/log.txt, times."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console


def open_log(*, speaks: bool) -> None:
    """Prints what is logged under `relief` as plain lines; the log of an earlier run is closed.

    Args:
        speaks: Whether this process is the one that talks; others print errors only.
    """
    log = logging.getLogger("relief")
    log.setLevel(logging.INFO if speaks else logging.ERROR)
    log.propagate = False
    for file in log_files():
        log.removeHandler(file)
        file.close()
    if not any(isinstance(handler, PlainHandler) for handler in log.handlers):
        log.addHandler(PlainHandler(Console()))


def complain(text: str, trace: BaseException | None = None) -> None:
    """Prints a line on standard error; it goes to the log too.

    Args:
        text: The line.
        trace: What raised, for the log alone.
    """
    Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(text)
    trace_back = None if trace is None else (type(trace), trace, trace.__traceback__)
    log = logging.getLogger("relief")
    for file in log_files():
        file.handle(log.makeRecord(log.name, logging.ERROR, "", 0, text, (), trace_back))


def log_files() -> list[logging.FileHandler]:
    """Returns where the run is logged."""
    handlers = logging.getLogger("relief").handlers
    return [handler for handler in handlers if isinstance(handler, logging.FileHandler)]


class LogFile(logging.FileHandler):
    """The log; where the disk is full the run says so by itself."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Goes on without this line."""
        del record


class PlainHandler(logging.Handler):
    """Log lines on the terminal as plain lines, beside progress bars."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Prints one line."""
        self.console.print(record.getMessage(), soft_wrap=True, markup=False, highlight=False)


class Stopwatch(logging.Handler):
    """Keeps the seconds of the steps that are logged with `extra={"step": ..., "seconds": ...}`."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[tuple[str, float]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Notes one step."""
        if hasattr(record, "seconds"):
            self.steps.append((str(getattr(record, "step", "")), float(record.seconds)))


def time_steps() -> Stopwatch:
    """Starts to collect the times of the steps of this run."""
    log = logging.getLogger("relief")
    for handler in [h for h in log.handlers if isinstance(h, Stopwatch)]:
        log.removeHandler(handler)
    stopwatch = Stopwatch()
    log.addHandler(stopwatch)
    return stopwatch


def start_log(out: Path) -> None:
    """From here on what is said also goes to OUT/log.txt."""
    log = logging.getLogger("relief")
    for handler in log_files():
        log.removeHandler(handler)
        handler.close()
    file = LogFile(out / "log.txt", encoding="utf-8")
    file.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    log.addHandler(file)


@contextmanager
def step(title: str) -> Iterator[None]:
    """Says how long something took, when it is done, and notes it for the table of times."""
    start = time.perf_counter()
    yield
    seconds = time.perf_counter() - start
    told = {"step": title, "seconds": seconds}
    logging.getLogger("relief").info("%s: %.1f s", title, seconds, extra=told)
