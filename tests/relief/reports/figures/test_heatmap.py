from relief.reports.figures.heatmap import heatmap


def test_cells_are_shaded_between_the_extremes_and_gaps_stay_empty():
    values = {("0.2", "500"): 10.0, ("0.2", "1000"): 30.0, ("0.3", "500"): 15.0}
    map_ = heatmap("PQ", values, ["0.2", "0.3"], ["500", "1000"])
    assert map_.columns == ["500", "1000"]
    first, second = map_.rows
    assert first["cells"][1] == {"text": "30.00", "shade": 1.0, "is_best": True}
    assert first["cells"][0]["shade"] == 0.0
    assert second["cells"] == [{"text": "15.00", "shade": 0.25, "is_best": False}, None]


def test_one_value_and_none():
    assert heatmap("PQ", {("a", "b"): 1.0}, ["a"], ["b"]).rows[0]["cells"][0]["shade"] == 1.0
    assert heatmap("PQ", {}, ["a"], ["b"]).rows[0]["cells"] == [None]
