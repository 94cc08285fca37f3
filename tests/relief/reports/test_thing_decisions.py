import pytest

from relief.reports.thing_decisions import thing_decisions

RECORD = {
    "statistic": "front_share",
    "cut": 0.314,
    "values": [0.1, 0.3, 0.32, 0.9],
    "thing_shares": [0.01, 0.48, 0.53, 1.0],
    "num_groups": 3,
    "changed_by": {"0.15": [], "0.6": [1, 2]},
}
NAMES = [f"cluster {i}" for i in range(4)]


def test_who_is_close_to_the_cut_comes_first():
    assert thing_decisions(RECORD, NAMES) == [
        "2 of 4 clusters, in 3 groups of alike ones, are things: their front share is above 0.314, "
        "where both sides part best.",
        "cluster 1 is stuff and could be a thing: 0.48",
        "cluster 2 is a thing and could be stuff: 0.53",
        "Grouped with a merge fraction of 0.15, none changes sides.",
        "Grouped with a merge fraction of 0.6, 2 change sides (cluster 1, cluster 2).",
    ]


def test_sure_decisions_are_told_as_such():
    lines = thing_decisions({**RECORD, "thing_shares": [0, 0, 1, 1]}, NAMES)
    assert lines[1] == "No cluster is close to the cut."


def test_many_close_ones_are_counted():
    record = {**RECORD, "values": [0.3] * 9, "thing_shares": [0.4] * 9, "changed_by": {}}
    lines = thing_decisions(record, [f"cluster {i}" for i in range(9)])
    assert lines[-1] == "3 more are between 0.25 and 0.75."
    assert len(lines) == 1 + 6 + 1


@pytest.mark.parametrize("record", [None, {}, {"rule": "published", "values": [1.0]}])
def test_nothing_is_said_where_no_cut_was_measured(record):
    assert thing_decisions(record, NAMES) == []


def test_nothing_is_said_of_clusters_made_after_the_rule():
    assert thing_decisions(RECORD, [*NAMES, "cluster 4"]) == []
