import json

import numpy as np
import pytest
import torch

from relief.formats.cityscapes import CityscapesTree
from relief.formats.label_store import LabelStore
from relief.schema.errors import UsageError
from relief.schema.label_spaces import CITYSCAPES_19
from relief.studies.pixel_level import PixelLevelStudy, PixelRow
from tests.relief.studies.tiny import CLASS_OF_CLUSTER, draw_store, draw_tree


def test_classes_are_split_into_connected_regions(tmp_path):
    root, store = draw_tree(tmp_path), draw_store(tmp_path / "labels")
    published = {"miou": 40.4, "pq": 23.1}
    study = PixelLevelStudy([PixelRow("ours", str(store), published=published)], str(root))
    result = study.run()
    (run,) = result.runs
    (table,) = result.tables
    assert table.columns == (*("", "mIoU", "accuracy", "PQ", "PQ stuff", "PQ things", "SQ", "RQ"),)
    assert table.rows[0][1] == f"{run['miou']:.1f} / 40.4"
    assert table.rows[0][2].endswith(" / –")
    # mIoU by hand: clusters are classes many to one.
    intersection, union = np.zeros(19), np.zeros(19)
    tree, labels = CityscapesTree(root, "val"), LabelStore(store)
    for key in labels.keys:
        predicted = np.array(CLASS_OF_CLUSTER)[labels.semantic(key).numpy()]
        true = tree.target(key, CITYSCAPES_19)[..., 0].numpy()
        for c in range(19):
            intersection[c] += ((predicted == c) & (true == c)).sum()
            union[c] += ((predicted == c) & (true >= 0) | (true == c)).sum()
    known = union > 0
    assert run["miou"] == pytest.approx(100 * (intersection[known] / union[known]).mean())


def test_touching_objects_of_a_class_are_one_region(tmp_path):
    root, store = draw_tree(tmp_path), draw_store(tmp_path / "labels")
    key = LabelStore(store).keys[0]
    study = PixelLevelStudy([], str(root), min_area_px=1)
    classes = torch.tensor(CLASS_OF_CLUSTER)
    predicted, target = study._maps(LabelStore(store), CityscapesTree(root, "val"), key, classes)
    assert predicted.shape == target.shape == (48, 96, 2)
    cars = predicted[predicted[..., 0] == 13][:, 1]
    true_cars = target[target[..., 0] == 13][:, 1]
    assert set(cars.tolist()) == set(range(1, len(set(cars.tolist())) + 1))
    assert len(set(cars.tolist())) < len(set(true_cars.tolist()))


def test_small_regions_are_none(tmp_path):
    root, store = draw_tree(tmp_path), draw_store(tmp_path / "labels")
    key = LabelStore(store).keys[0]
    study = PixelLevelStudy([], str(root), min_area_px=10_000, short_side_px=24)
    classes = torch.tensor(CLASS_OF_CLUSTER)
    predicted, target = study._maps(LabelStore(store), CityscapesTree(root, "val"), key, classes)
    assert predicted.shape == target.shape == (24, 48, 2)
    assert predicted[..., 1].max() == 0


def test_stores_that_are_not_there_are_said_with_their_command(tmp_path):
    root, store = draw_tree(tmp_path), draw_store(tmp_path / "labels")
    absent = PixelRow("CRF", str(tmp_path / "none"), ["--config", "x.yaml"])
    with pytest.raises(
        UsageError, match=r"no labels found: .*none\. Run `python label.py --config"
    ):
        PixelLevelStudy([absent], str(root)).run()
    result = PixelLevelStudy([PixelRow("ours", str(store)), absent], str(root)).run()
    assert len(result.runs) == 1
    assert result.notes[-1].startswith(
        "Left out, no labels: CRF. `python label.py --config x.yaml`"
    )
    json.dumps(result.runs)
