import pytest

from relief.models.self_training.rounds import Rounds


def test_the_threshold_rises_from_round_to_round():
    rounds = Rounds(steps=500)
    assert [rounds.number(step) for step in (0, 499, 500, 1499)] == [0, 0, 1, 2]
    scores = [rounds.score_at(step) for step in (0, 499, 500, 999, 1000)]
    assert scores == pytest.approx([0.7, 0.7, 0.75, 0.75, 0.8])
    assert rounds.score_at(10**6) == 1.0


def test_the_teacher_is_renewed_between_rounds():
    assert [step for step in range(12) if Rounds(steps=4).refreshes_at(step)] == [4, 8]


def test_published_rounds_are_steps_and_nothing_else():
    published = Rounds(steps=4, refresh_teacher=False, score_step=0.0)
    assert not any(published.refreshes_at(step) for step in range(12))
    assert {published.score_at(step) for step in range(12)} == {0.7}
