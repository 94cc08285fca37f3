"""Errors that are for people: one line, what, where, what to do. The scripts print them bare."""

from __future__ import annotations

import logging
import signal
from collections.abc import Mapping

TOLD = "the first process was told"  # a note on errors of other processes
log = logging.getLogger("relief")
_MOST_CHARACTERS = 200


class ReliefError(Exception):
    """A mistake in the use, the configuration or the input; its text is the whole message."""


class UsageError(ReliefError):
    """Wrong options or an output that cannot be used. Exit code 2."""


class WeightsError(UsageError):
    """Weights that are missing, damaged, of another shape, or hold code. Exit code 2."""


class ReadError(ReliefError):
    """One input cannot be read, or a network cannot take it; the others can be used."""


class TrainingDivergedError(ReliefError):
    """A loss, a gradient or a teacher is not finite; the optimizer did not move. Exit code 1."""


class StoppedBySignal(ReliefError):
    """SIGTERM or SIGINT arrived; what was finished is kept. Exit code 128 + `number`."""

    def __init__(self, number: int, progress: str = "") -> None:
        name = signal.Signals(number).name
        text = f"stopped by {name}{progress}. Run the same command again to "
        super().__init__(f"{text}{'label the rest' if progress else 'go on'}.")
        self.number = number


def reason_of(error: Exception, key: str) -> str:
    """Says in one line why one image cannot be used; the others can.

    What no part has words for is our fault, or the machine's: the log gets its traceback.

    Args:
        error: What was raised while this image was at hand.
        key: The image.

    Raises:
        ReliefError: It is not about one image: a signal, a full disk, wrong use or weights.
    """
    if isinstance(error, ReadError):
        return str(error)
    if isinstance(error, ReliefError):
        raise error
    words = " ".join(str(error).split())[:_MOST_CHARACTERS].rstrip(".")
    what = "out of memory" if is_about_memory(error) else type(error).__name__
    log.info("failed: %s: %s", key, what, exc_info=error)
    return f"{key}: {what}{f' ({words})' if words else ''}. Leave the image out or replace it."


def is_about_memory(error: Exception) -> bool:
    """Tells whether memory was short; torch says so on the CPU and in cuDNN in words only."""
    if type(error).__name__ == "OutOfMemoryError" or isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and "alloc" in str(error).lower()


class PeersLost(ReliefError):
    """Processes of the run died, hang or stopped; `reasons` says why, by rank. Exit code 1."""

    def __init__(self, reasons: Mapping[int, str]) -> None:
        lines = [
            f"process {rank}: {reason.rstrip('.')}" for rank, reason in sorted(reasons.items())
        ]
        super().__init__(f"lost {'; '.join(lines)}. Run the same command again to go on.")
        self.reasons = reasons
