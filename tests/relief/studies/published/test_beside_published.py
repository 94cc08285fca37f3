import pytest

from relief.schema.errors import UsageError
from relief.studies.published.beside_published import (
    beside_published,
    published_figures,
    refuse_double,
    refuse_unknown,
)


def test_published_figures_stand_below_ours():
    runs = [
        {"name": "a", "x": 1.25, "y": 2.0, **published_figures({"y": 3.0})},
        {"name": "b", "x": 4.0, "y": 5.0, **published_figures({})},
    ]
    assert beside_published(runs, ("x", "y")) == [
        ["a", 1.25, 2.0],
        ["  published", None, 3.0],
        ["b", 4.0, 5.0],
    ]


def test_a_published_zero_is_a_figure():
    run = {"name": "a", "x": 1.0, **published_figures({"x": 0.0})}
    assert beside_published([run], ("x",))[1] == ["  published", 0.0]


def test_names_are_checked():
    refuse_unknown("class", ["car"], ["car", "bus"])
    with pytest.raises(UsageError, match=r"^unknown class: cat\. Use one of car, bus\.$"):
        refuse_unknown("class", ["car", "cat"], ["car", "bus"])
    refuse_double(["a", "b"])
    with pytest.raises(UsageError, match=r"^2 rows have one name: a\. Give each its own\.$"):
        refuse_double(["a", "b", "a"])
