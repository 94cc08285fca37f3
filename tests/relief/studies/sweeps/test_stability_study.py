import pytest

from relief.splitters.stability import StabilitySplitter
from relief.studies.study import StoreRow
from relief.studies.sweeps.stability_study import ChangedDepth, StabilityStudy, with_number
from tests.relief.studies.tiny import draw_store, draw_tree


def test_levels_and_numbers_are_tried_on_every_kind_of_depth(tmp_path):
    root = draw_tree(tmp_path)
    study = StabilityStudy(
        StoreRow(str(draw_store(root / "labels"))),
        *(str(root), str(root / "depth")),
        [ChangedDepth("as drawn"), ChangedDepth("half", curve="half")],
        levels=[0.01, 0.2],
        folder=str(tmp_path / "study"),
        min_area_px=20,
        numbers=["area_share"],
        numbers_on=["half"],
        processes=1,
    )
    study.prepare(lambda line: None)
    result = study.run()
    by_depth, by_number = result.tables
    assert [row[0] for row in by_depth.rows] == ["as drawn", "half"]
    for _, own, best, level, less, _, falls, _ in by_depth.rows:
        assert less == pytest.approx(own - best)
        assert level in ("0.01", "0.2")
        assert falls == pytest.approx(own - by_depth.rows[0][1])
    assert [row[0] for row in by_number.rows] == ["area_share x 0.5", "area_share x 2"]
    assert by_number.columns == ("number", "half")
    assert len(result.runs) == 2 * 3 + 2
    study.prepare(lambda line: pytest.fail(line))  # depth is there


def test_a_number_is_changed_alone_and_a_share_stays_one():
    assert with_number("likeness", 2).likeness == 1
    assert with_number("dilation_px", 0.5).dilation_px == 2
    assert with_number("floor", 2).floor == 2 * StabilitySplitter().floor
    assert with_number("floor", 2).height == StabilitySplitter().height
