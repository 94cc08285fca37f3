import numpy as np
import pytest

from relief.metrics.classes import Classes
from relief.metrics.protocols import CUPS, PANOPTICAPI
from relief.metrics.scoring import Scorer
from relief.ops.matching import assignment_rule
from relief.splitters.connected import ConnectedSplitter
from relief.studies.sweeps.cut_scores import ScoredSource
from relief.studies.sweeps.settings import Setting
from relief.studies.sweeps.split_tables import CutTable
from relief.studies.sweeps.sweep_scores import score_settings
from relief.studies.sweeps.table_cache import ImageTables

CLASSES = Classes.of(things=(1,), stuffs=(0,))
PAIRS = np.array([[1, 1, 1], [1, 1, 2], [1, 0, 0]])  # thing cluster on object 1, 2 and stuff
STUFF = np.array([[0, 0, 0, 800], [2, 0, 0, 50]])
AREAS = np.array([0, 100, 40, 10])
ROWS = np.array([[1, 0, 0, 100], [2, 0, 1, 40], [3, 0, 2, 10]])
TABLES = [
    ImageTables(
        {0: (PAIRS, STUFF)},
        {
            (0, Setting(ConnectedSplitter(1)).cut): CutTable(
                ROWS, AREAS, AREAS, np.array([7, 10, 0, 10])
            )
        },
    )
]


def score(area, has_classes=False, protocols=(PANOPTICAPI,)):
    scorer = Scorer(CLASSES, 2 if has_classes else 3, (1,))
    source = ScoredSource("s", 3, scorer, has_classes)
    rules = [assignment_rule("majority")]
    setting = Setting(ConnectedSplitter(area))
    return list(score_settings(source, [setting], TABLES, protocols, rules))


@pytest.mark.parametrize(
    ("area", "things", "matched", "instances", "coverage", "edges"),
    [
        (1, 2 / 2.5, 2, 3, 100, 110 / 3),
        (20, 1, 2, 2, 100 * 140 / 150, 5),
        (50, 1 / 1.5, 1, 1, 100 * 100 / 150, 10),
    ],
)
def test_an_area_filter_by_hand(area, things, matched, instances, coverage, edges):
    (row,) = score(area)
    assert row["pq_things"] == pytest.approx(100 * things)
    assert row["matched_things"] == matched
    assert row["instances_per_image"] == instances
    assert row["true_instances_per_image"] == 2
    assert row["thing_coverage"] == pytest.approx(coverage)
    assert row["edges_inside"] == pytest.approx(edges)
    assert row["miou"] == pytest.approx(100 * (850 / 860 + 140 / 150) / 2)
    assert (row["splitter"], row["sigma"], row["assignment"]) == ("connected", None, "majority")


def test_one_row_for_each_protocol_and_classes_keep_their_names():
    rows = score(1, protocols=(PANOPTICAPI, CUPS))
    assert [row["protocol"] for row in rows] == ["panopticapi", "cups"]
    assert score(1, has_classes=True)[0]["assignment"] == "oracle_majority"


def test_rows_have_the_order_of_the_settings_whatever_their_areas():
    source = ScoredSource("s", 3, Scorer(CLASSES, 3, (1,)), has_classes=False)
    settings = [Setting(ConnectedSplitter(area)) for area in (50, 1, 20)]
    rows = list(
        score_settings(source, settings, TABLES, [PANOPTICAPI], [assignment_rule("majority")])
    )
    assert [row["min_area_px"] for row in rows] == [50, 1, 20]
    assert rows == [row for area in (50, 1, 20) for row in score(area)]
