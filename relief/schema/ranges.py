"""Numbers that people type, checked in one way."""

from __future__ import annotations

from relief.schema.errors import UsageError


def check_at_least(least: int, **numbers: float | None) -> None:
    """Refuses numbers below a bound; what is `None` was not given.

    Raises:
        UsageError: The first that is too small, by its name.

    Example:
        >>> check_at_least(1, batch_size=2, limit=None)
    """
    for name, number in numbers.items():
        if number is not None and number < least:
            msg = f"{name}={number}: expected at least {least}. Give another number."
            raise UsageError(msg)
