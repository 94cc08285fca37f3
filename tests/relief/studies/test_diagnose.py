import numpy as np
import pytest
import torch

from relief.formats.cityscapes import CityscapesTree
from relief.formats.label_png import write_png
from relief.formats.label_store import write_manifest, write_panoptic, write_semantic
from relief.schema.label_spaces import CITYSCAPES_19
from relief.schema.manifest import Manifest
from relief.studies.diagnose import DiagnoseRequest, diagnose_labels
from tests.relief.studies.tiny import KEYS, draw_store, draw_tree


def test_dead_clusters_and_absorbed_classes(tmp_path):
    root = draw_tree(tmp_path)
    labels = str(draw_store(tmp_path / "labels", k=9))
    found = diagnose_labels(DiagnoseRequest(labels, str(root)))
    assert found.num_clusters == 9
    assert found.dead_clusters == [7, 8]
    assert found.absorption["road"] == {"road": 100.0}
    # One to one, one of the two building clusters gets a class that nothing else wanted.
    assert len(found.absorption["building"]) == 2
    assert sum(found.absorption["building"].values()) == pytest.approx(100, abs=3)
    assert found.absorption["train"] == {}
    truth = CityscapesTree(root, "val")
    classes = torch.stack([truth.target(key, CITYSCAPES_19)[..., 0] for key in KEYS])
    assert found.ground_truth_px == {
        name: int((classes == class_id).sum()) for class_id, name in enumerate(CITYSCAPES_19.names)
    }
    majority = diagnose_labels(DiagnoseRequest(labels, str(root), assignment="majority"))
    assert majority.absorption["building"]["building"] > 90
    assert "train" in majority.classes_without_cluster


def test_a_missed_class_names_what_absorbs_it(tmp_path):
    root, out, key = tmp_path / "root", tmp_path / "labels", "bonn/bonn_000000_000001"
    ids = np.full((10, 20), 7, np.uint16)  # road
    ids[:5], ids[5, :10], ids[6, :6] = 11, 13, 13  # building, fence
    clusters = torch.zeros(10, 20, dtype=torch.int64)
    clusters[:6] = 1  # building, and ten pixels of fence; six more lie under road
    base = root / "gtFine" / "val" / key
    base.parent.mkdir(parents=True)
    write_png(base.with_name(base.name + "_gtFine_instanceIds.png"), ids)
    write_png(base.with_name(base.name + "_gtFine_labelIds.png"), ids.astype(np.uint8))
    image = root / "leftImg8bit" / "val" / f"{key}_leftImg8bit.png"
    image.parent.mkdir(parents=True)
    write_png(image, np.zeros((10, 20, 3), np.uint8))
    out.mkdir()
    write_manifest(out, Manifest(k=3, thing_ids=(), groups=(-1,) * 3, images={key: "labelled"}))
    write_semantic(out, key, clusters, 3)
    pairs = torch.stack((clusters, torch.zeros_like(clusters)), -1)
    write_panoptic(out, key, pairs, torch.zeros(3, dtype=torch.bool))
    found = diagnose_labels(DiagnoseRequest(str(out), str(root), assignment="majority"))
    assert found.absorption["fence"] == {"building": 62.5, "road": 37.5}
    assert found.ground_truth_px["fence"] == 16
    assert found.missed == {"fence": ["building", "road"]}
    assert found.dead_clusters == [2]
