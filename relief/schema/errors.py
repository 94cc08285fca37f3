"""Errors that are for people: one line, what, where, what to do. The scripts print them bare."""

from __future__ import annotations

import signal


class ReliefError(Exception):
    """A mistake in the use, the configuration or the input; its text is the whole message."""


class UsageError(ReliefError):
    """Wrong options or an output that cannot be used. Exit code 2."""


class WeightsError(UsageError):
    """Weights that are missing, damaged, of another shape, or hold code. Exit code 2."""


class ReadError(ReliefError):
    """One input file cannot be used; the others can."""


class StoppedBySignal(ReliefError):
    """SIGTERM or SIGINT arrived; what was finished is kept. Exit code 128 + `number`."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number = number
