"""What a run says while it works: plain lines on the terminal, the same in OUT/log.txt, times."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console


def open_log(*, speaks: bool) -> None:
    """Prints what is logged under `relief` as plain lines.

    Args:
        speaks: Whether this process is the one that talks; others print errors only.
    """
    log = logging.getLogger("relief")
    log.setLevel(logging.INFO if speaks else logging.ERROR)
    log.propagate = False
    if not any(isinstance(handler, PlainHandler) for handler in log.handlers):
        log.addHandler(PlainHandler(Console()))


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
    for handler in [h for h in log.handlers if isinstance(h, logging.FileHandler)]:
        log.removeHandler(handler)
        handler.close()
    file = logging.FileHandler(out / "log.txt", encoding="utf-8")
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
