"""Settings that change from round to round of self-training."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rounds:
    """Equal parts of a self-training: when the teacher is renewed, and how sure it has to be.

    The published configuration promises a threshold of "base + stage * step"; the published code
    has rounds that multiply the steps and nothing else: `refresh_teacher=False, score_step=0.0`.

    Attributes:
        steps: Optimizer steps of one round; the trainer's `max_steps` says how many there are.
        refresh_teacher: Every round but the first begins with a teacher that is a copy of the
            student.
        score_threshold: Least score of the teacher's objects in the first round.
        score_step: By how much it rises from round to round.
    """

    steps: int = 500
    refresh_teacher: bool = True
    score_threshold: float = 0.7
    score_step: float = 0.05

    def number(self, step: int) -> int:
        """The round of an optimizer step, from 0."""
        return step // self.steps

    def score_at(self, step: int) -> float:
        """Least score of the teacher's objects, at most 1."""
        return min(1.0, self.score_threshold + self.number(step) * self.score_step)

    def refreshes_at(self, step: int) -> bool:
        """Whether the teacher is renewed before this step."""
        return self.refresh_teacher and step > 0 and step % self.steps == 0
