"""Errors that are for people: one line, what, where, what to do. The scripts print them bare."""

from __future__ import annotations


class ReliefError(Exception):
    """A mistake in the use, the configuration or the input; its text is the whole message."""


class UsageError(ReliefError):
    """Wrong options or an output that cannot be used. Exit code 2."""


class WeightsError(UsageError):
    """Weights that are missing, damaged, of another shape, or hold code. Exit code 2."""


class ReadError(ReliefError):
    """One input file cannot be used; the others can."""
