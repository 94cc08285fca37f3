import numpy as np
import pytest
import torch

from relief.formats.label_store import LabelStore, semantic_path
from relief.schema.errors import ReadError
from relief.sources.cityscapes import CityscapesSource
from relief.studies.scoring.region_scores import RegionScorer
from tests.relief.studies.tiny import CLASS_OF_CLUSTER, KEYS, draw_store, draw_tree

CLASSES = torch.tensor(CLASS_OF_CLUSTER)


@pytest.fixture
def tree(tmp_path):
    return CityscapesSource(draw_tree(tmp_path), "val")


def test_miou_by_hand(tmp_path, tree):
    store = draw_store(tmp_path / "labels")
    scores = RegionScorer(tree).scores(store, "majority")
    labels = LabelStore(store)
    assert (scores.keys, scores.failures) == (labels.keys, [])
    intersection, union = np.zeros(19), np.zeros(19)
    for key in labels.keys:  # clusters are classes many to one
        predicted = np.array(CLASS_OF_CLUSTER)[labels.semantic(key).numpy()]
        true = tree.target(key)[..., 0].numpy()
        for c in range(19):
            intersection[c] += ((predicted == c) & (true == c)).sum()
            union[c] += ((predicted == c) & (true >= 0) | (true == c)).sum()
    known = union > 0
    expected = 100 * (intersection[known] / union[known]).mean()
    assert scores.figures["miou"] == pytest.approx(expected)


def test_touching_objects_of_a_class_are_one_region(tmp_path, tree):
    labels = LabelStore(draw_store(tmp_path / "labels"))
    predicted, target = RegionScorer(tree, min_area_px=1).maps(labels, labels.keys[0], CLASSES)
    assert predicted.shape == target.shape == (48, 96, 2)
    cars = predicted[predicted[..., 0] == 13][:, 1]
    true_cars = target[target[..., 0] == 13][:, 1]
    assert set(cars.tolist()) == set(range(1, len(set(cars.tolist())) + 1))
    assert len(set(cars.tolist())) < len(set(true_cars.tolist()))


def test_small_regions_are_none(tmp_path, tree):
    labels = LabelStore(draw_store(tmp_path / "labels"))
    scorer = RegionScorer(tree, min_area_px=10_000, short_side_px=24)
    predicted, target = scorer.maps(labels, labels.keys[0], CLASSES)
    assert predicted.shape == target.shape == (24, 48, 2)
    assert predicted[..., 1].max() == 0


def test_unreadable_images_are_named_and_none_left_is_an_error(tmp_path, tree):
    store = draw_store(tmp_path / "labels")
    semantic_path(store, KEYS[0]).write_bytes(b"no picture")
    scores = RegionScorer(tree).scores(store, "majority")
    assert scores.keys == sorted(KEYS[1:])
    (line,) = scores.failures
    assert KEYS[0] in line
    for key in KEYS:
        semantic_path(store, key).write_bytes(b"no picture")
    with pytest.raises(ReadError, match="cannot read label"):
        RegionScorer(tree).scores(store, "majority")
