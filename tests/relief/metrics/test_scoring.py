import numpy as np
import pytest

from relief.metrics.classes import Classes
from relief.metrics.protocols import PANOPTICAPI
from relief.metrics.scoring import PERCENT, Assignment, JointRows, Scorer
from relief.metrics.semantic_iou import CategoryCounts
from relief.ops.matching import assignment_rule

CLASSES = Classes.of(things=(13, 11), stuffs=(0, 2))
TABLE = np.array([[1, 1, 13, 1, 30], [1, 2, 13, 2, 5], [0, 0, 0, 0, 50]])


def test_assignments_come_back_as_class_ids():
    counts = np.array([[9, 1, 0, 0], [0, 0, 1, 5], [0, 0, 0, 0]])
    scorer = Scorer(CLASSES, 3, (1,))
    fitted = scorer.fit(assignment_rule("majority"), CategoryCounts(counts, np.zeros(4, np.int64)))
    assert fitted.panoptic.tolist() == fitted.semantic.tolist() == [0, 13, -1]


def test_figures_count_instances_over_all_images_and_become_percent():
    scorer = Scorer(CLASSES, 2, (1,))
    rows = JointRows(np.zeros(3, np.int64), TABLE, 2)
    assignment = scorer.fit(assignment_rule("majority"), scorer.counts(TABLE))
    confusion = scorer.confusion(scorer.counts(TABLE), assignment)
    figures = scorer.figures(rows, confusion, assignment, PANOPTICAPI)
    assert figures.row.pq == figures.row.miou == 1
    assert (figures.row.instances_per_image, figures.row.images) == (1, 2)
    assert figures.per_class[:, 0].tolist()[0] == figures.iou.tolist()[0] == 1
    assert figures.totals["tp"].tolist() == [1, 0, 0, 2]
    percent = figures.row.percent()
    assert (percent["pq"], percent["rq_things"]) == (PERCENT, PERCENT)
    assert (percent["instances_per_image"], percent["matched_things"]) == (1, 2)


def test_pixels_and_segments_may_meet_classes_apart():
    scorer = Scorer(CLASSES, 2, (1,))
    apart = Assignment(np.array([0, 13]), np.array([0, 2]))
    confusion = scorer.confusion(scorer.counts(TABLE), apart)
    row = scorer.figures(JointRows.of([TABLE]), confusion, apart, PANOPTICAPI).row
    assert row.pq == 1
    assert row.pixel_accuracy == pytest.approx(50 / 85)


def test_classes_are_their_own_assignment():
    scorer = Scorer.of_classes(CLASSES)
    assert (scorer.num_categories, sorted(scorer.things)) == (14, [11, 13])
    table = np.array([[13, 1, 13, 1, 30], [5, 0, 0, 0, 10]])
    identity = scorer.identity()
    confusion = scorer.confusion(scorer.counts(table), identity)
    row = scorer.figures(JointRows.of([table]), confusion, identity, PANOPTICAPI).row
    assert (row.pq_things, row.pq_stuff, row.matched_things) == (1, 0, 1)


def test_images_without_rows_count():
    rows = JointRows.of([np.zeros((0, 5), np.int64), TABLE])
    assert (rows.image.tolist(), rows.num_images) == ([1, 1, 1], 2)
    assert JointRows.of([]).table.shape == (0, 5)
