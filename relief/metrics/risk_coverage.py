"""The worth of confidence: how wrong those are that are kept when the least sure go first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class RiskCoverage:
    """The curve of risk over coverage (Geifman and El-Yaniv, "Selective classification", 2017).

    Attributes:
        risk: (N,) mean error of the n + 1 surest; those that are equally sure share what they
            have, so that their order does not matter.
        random: Mean error of all: the area under the curve of a random order.
        oracle: Area under the curve of the best order.
    """

    risk: Reals
    random: float
    oracle: float

    @classmethod
    def of(cls, confidence: Reals, error: Reals) -> RiskCoverage:
        """Orders things by confidence.

        Args:
            confidence: (N,) of each, the surest has the greatest.
            error: (N,) in [0, 1].

        Raises:
            ValueError: There is nothing, or the two differ in length.
        """
        if confidence.shape != error.shape or not len(error):
            msg = f"expected as many errors as confidences, got {error.shape}, {confidence.shape}"
            raise ValueError(msg)
        _, group = np.unique(-confidence, return_inverse=True)
        shared = np.bincount(group, error) / np.bincount(group)
        ordered = shared[np.sort(group)]
        best = np.sort(error)
        count = np.arange(1, len(error) + 1)
        return cls(
            np.asarray(ordered.cumsum() / count, np.float64),
            float(error.mean()),
            float((best.cumsum() / count).mean()),
        )

    @property
    def area(self) -> float:
        """Area under the curve."""
        return float(self.risk.mean())

    @property
    def gain(self) -> float:
        """How far the order is from random (0) to the best (1); nan where all orders are alike."""
        room = self.random - self.oracle
        return (self.random - self.area) / room if room > 0 else float("nan")

    def at(self, coverage: float) -> float:
        """Returns the mean error of the surest share.

        Args:
            coverage: In (0, 1].
        """
        return float(self.risk[kept_count(len(self.risk), coverage) - 1])


def kept_count(count: int, coverage: float) -> int:
    """How many of some things a share of them is, at least one."""
    return max(1, round(count * coverage))


def surest(confidence: Reals, coverage: float) -> NDArray[np.int64]:
    """Chooses the surest share; of equally sure ones those that come first.

    Args:
        confidence: (N,).
        coverage: In (0, 1].

    Returns:
        Their indices, rising.
    """
    order = np.argsort(-confidence, kind="stable")
    return np.sort(order[: kept_count(len(order), coverage)])
