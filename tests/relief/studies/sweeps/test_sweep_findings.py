import pytest

from relief.studies.sweeps.sweep_findings import findings


def row(tau, area, pq, purpose="grid", protocol="seed", source="k=80"):
    return {
        "source": source, "k": 80, "splitter": "connected" if tau is None else "depth_gradient",
        "gradient_threshold": tau, "min_area_px": area, "pq": pq, "purpose": purpose,
        "protocol": protocol, "assignment": "majority",
    }  # fmt: skip


ROWS = [
    row(None, 10, 20.0),
    row(0.2, 500, 24.0),
    row(0.2, 1000, 25.0),
    row(None, 500, 21.0, "area_filter"),
    row(None, 1000, 23.5, "area_filter"),
    row(0.2, 1000, 99.0, protocol="cups"),
]


def test_the_gain_is_parted_into_area_filter_and_edges():
    (found,) = findings(ROWS, "seed", "majority")
    assert (found.best["pq"], found.baseline["pq"], found.filtered["pq"]) == (25, 20, 23.5)
    assert found.gains == pytest.approx((5.0, 3.5, 1.5))
    assert [r["pq"] for r in found.rows] == [25, 24, 20]
    assert [r["min_area_px"] for r in found.connected] == [10, 500, 1000]


def test_a_source_of_components_only_gains_nothing():
    rows = [*ROWS, row(None, 10, 30.0, source="k=300")]
    found = findings(rows, "seed", "majority")[1]
    assert found.name == "k=300"
    assert found.gains == (0, 0, 0)


def test_a_source_without_components_has_nothing_to_gain_over():
    (found,) = findings(ROWS[1:3], "seed", "majority")
    assert (found.best["pq"], found.baseline["pq"], found.connected) == (25, 25, [])
    assert found.gains == (0, 0, 0)
