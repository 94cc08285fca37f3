import math

import pytest

from relief.reports.study_report import write_study
from relief.schema.errors import UsageError
from relief.studies.features.feature_study import FIGURES, FeatureStudy
from relief.studies.features.sample_features_summary import Comparison
from relief.studies.study import Gain
from tests.relief.studies.features.test_sample_features import study

COMPARISONS = [
    Comparison("miou", "rgb", 4, "edges", over_k=2, by="difference", aim=1e9),
    Comparison("miou", "rgb", 4, "edges", over_splitting="components", aim=1.0),
    Comparison(
        *("pq_things", "rgb", 4, "edges"),
        over_splitting="components",
        by="difference",
        published=1.9,
    ),
]


def test_a_study_comes_back_as_tables_runs_and_curves(tiny_cityscapes, tmp_path):
    plan = study(tiny_cityscapes, ks=[2, 4], seeds=[0, 1])
    result = FeatureStudy(plan, COMPARISONS).run()
    settings, compared = result.tables
    assert len(result.runs) == 8
    assert [row[1:3] for row in settings.rows] == [
        *([2, "edges"], [2, "components"], [4, "edges"], [4, "components"])
    ]
    assert len(settings.columns) == 3 + len(FIGURES)
    assert list(result.curves) == ["rgb"]
    assert [x for x, _ in result.curves["rgb"]] == [1.0, 2.0]
    assert "3 images of val" in result.notes[0]
    assert [row[7] for row in compared.rows] == ["no", "yes", None]
    assert [row[8] for row in compared.rows] == [None, None, "+1.90"]
    assert compared.rows[1][5] == Gain(1.0, 0.0, is_ratio=True)
    first, other, gain = (compared.rows[0][i] for i in (2, 4, 5))
    assert math.isclose(gain.mean, first.mean - other.mean)
    assert set(write_study(tmp_path, result)) == {"table.csv", "table.md", "figure.svg"}


def test_missing_scenes_are_told_with_the_command_that_draws_them(tmp_path):
    nowhere = FeatureStudy(study(tmp_path / "nowhere"), [])
    with pytest.raises(UsageError, match=r"no scenes: .*nowhere\. Draw them: python -m"):
        nowhere.run()
