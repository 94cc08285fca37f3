import numpy as np
import pytest

from relief.metrics.classes import Classes
from relief.metrics.protocols import CUPS, PANOPTICAPI, SEED
from relief.metrics.scoring import JointRows, Scorer
from relief.ops.matching import assignment_rule
from relief.splitters.connected import ConnectedSplitter
from relief.studies.sweeps.cut_scores import (
    FilteredCut,
    ScoredSource,
    counts_before_splitting,
    score_cut,
)
from relief.studies.sweeps.settings import Setting
from relief.studies.sweeps.split_tables import CutTable, panoptic_rows
from relief.studies.sweeps.table_cache import ImageTables

CUT = Setting(ConnectedSplitter(1)).cut
AREAS_PX = [1, 15, 30, 60, 400]
NUM_CLUSTERS, THING_CLUSTERS = 8, (4, 5, 6, 7)
CLASSES = Classes.of(things=(3, 4), stuffs=(0, 1, 2))
SIDE = SEED.short_side_px


def drawn(random: np.random.Generator, components: int = 12) -> ImageTables:
    """An image of random tables, components that fall back on each other among them."""
    true = [(c, i) for c in range(-1, 5) for i in range(4 if c > 2 else 1)]
    pairs = np.array([(k, *t) for k in (-1, *THING_CLUSTERS) for t in true])
    core = np.append(0, np.sort(random.integers(1, 90, components))[::-1])
    owner = random.integers(0, components + 1, 150)
    likely = random.integers(0, len(pairs), components + 1)
    often = random.random(150) < 0.7
    pair = np.where(often, likely[owner], random.integers(0, len(pairs), 150))
    fallback = np.where(random.random(150) < 0.4, random.integers(0, components + 1, 150), 0)
    fallback[fallback == owner] = 0
    rows = np.column_stack((owner, fallback, pair, random.integers(1, 9, 150)))
    edge = np.append(0, random.integers(0, 5, components))
    stuff = np.array([(k, *t, random.integers(1, 99)) for k in range(-1, 4) for t in true[:6]])
    tables = (pairs, stuff)
    cut = CutTable(rows, core, core + edge, edge)
    return ImageTables({0: tables, SIDE: tables}, {(0, CUT): cut, (SIDE, CUT): cut})


IMAGES = [drawn(np.random.default_rng(seed)) for seed in range(3)]


def reference(scorer, area):
    """The joint rows of one filter, from the tables of each image."""
    tables = []
    for image in IMAGES:
        pairs, stuff = image.comparisons[0]
        things = panoptic_rows(image.cuts[0, CUT], pairs, area, NUM_CLUSTERS)
        tables.append(np.concatenate((things, np.insert(stuff, 1, 0, axis=1))))
    return JointRows.of(tables)


@pytest.mark.parametrize("protocol", [PANOPTICAPI, CUPS, SEED])
@pytest.mark.parametrize("rule", ["majority", "hungarian"])
def test_every_filter_has_the_figures_of_its_own_rows(protocol, rule):
    scorer = Scorer(CLASSES, NUM_CLUSTERS, THING_CLUSTERS)
    source = ScoredSource("s", NUM_CLUSTERS, scorer, has_classes=False)
    before = counts_before_splitting(source, CUT, IMAGES)
    rules = [assignment_rule(rule)]
    scored = score_cut(source, CUT, AREAS_PX, IMAGES, [protocol], rules, before)
    matched = 0
    for area, (row,) in zip(AREAS_PX, scored, strict=True):
        rows = reference(scorer, area)
        assignment = scorer.fit(rules[0], scorer.counts(rows.table))
        confusion = scorer.confusion(before, assignment)
        own = scorer.figures(rows, confusion, assignment, protocol)
        assert {name: row[name] for name in own.row.percent()} == own.row.percent()
        assert (row["protocol"], row["assignment"]) == (protocol.name, rule)
        matched += own.totals["tp"].sum()
        is_thing = np.isin(rows.table[:, 0], THING_CLUSTERS)
        pixels = rows.table[:, 4]
        inside = pixels[is_thing & (rows.table[:, 1] > 0)].sum() / pixels[is_thing].sum()
        assert row["thing_coverage"] == 100 * inside
    assert matched > 0


def test_clusters_of_stuff_that_are_things_and_things_that_are_stuff():
    scorer = Scorer(CLASSES, NUM_CLUSTERS, THING_CLUSTERS)
    source = ScoredSource("s", NUM_CLUSTERS, scorer, has_classes=False)
    assignment = scorer.identity()
    mixed = np.array([3, 1, 4, -1, 2, 3, 4, 0])  # classes of the clusters
    assignment = type(assignment)(mixed, mixed)
    for protocol in (PANOPTICAPI, SEED):
        filtered = FilteredCut.of(source, CUT, AREAS_PX, IMAGES, 0)
        counts = filtered.counts(assignment, protocol)
        for index, area in enumerate(AREAS_PX):
            rows = reference(scorer, area)
            confusion = scorer.confusion(scorer.counts(rows.table), assignment)
            own = scorer.figures(rows, confusion, assignment, protocol).statistics
            for name in ("iou_sum", "tp", "fp", "fn"):
                assert np.array_equal(getattr(counts, name)[index], getattr(own, name)), name
            assert counts.predicted_things[index] == own.predicted_things.sum()
            assert counts.true_things == own.true_things.sum()


def test_a_protocol_that_forgives_predicted_void_is_refused():
    source = ScoredSource("s", NUM_CLUSTERS, Scorer(CLASSES, NUM_CLUSTERS), has_classes=False)
    filtered = FilteredCut.of(source, CUT, AREAS_PX, IMAGES, 0)
    with pytest.raises(ValueError, match="forgive predicted void"):
        filtered.counts(source.scorer.identity(), CUPS)
