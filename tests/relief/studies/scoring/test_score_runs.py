import pytest

from relief.schema.errors import UsageError
from relief.studies.scoring.score_runs import ScoreRequest, score_runs
from tests.relief.studies.tiny import KEYS, draw_store, draw_tree


def test_runs_are_scored_and_an_assignment_may_come_from_elsewhere(tmp_path):
    root = str(draw_tree(tmp_path))
    one, two = str(draw_store(tmp_path / "one", KEYS[:1])), str(draw_store(tmp_path / "two"))
    metrics, scores = score_runs(ScoreRequest([one, two], root=root, assignment="hungarian"))
    assert [len(run) for run in (metrics, scores)] == [3, 2]
    assert scores[0].fitted_on == "val"
    fitted = ScoreRequest([one], root=root, assignment="hungarian", fit_labels=two, fit_split="val")
    _, (elsewhere,) = score_runs(fitted)
    both = (one_.assignments["hungarian"].panoptic for one_ in (elsewhere, scores[1]))
    assert (next(both) == next(both)).all()


def test_defaults_and_what_is_missing():
    assert str(ScoreRequest(["a/b"]).folder) == "outputs/evaluate/b"
    assert ScoreRequest(["a"]).space.name == "cityscapes19"
    with pytest.raises(UsageError, match="no labels given"):
        score_runs(ScoreRequest([]))
