import dataclasses

import numpy as np
import pytest
import torch

from relief.formats.label_png import write_png
from relief.formats.label_store import write_manifest, write_panoptic, write_semantic
from relief.schema.label_spaces import CITYSCAPES_19
from relief.schema.manifest import Manifest
from relief.sources.cityscapes import CityscapesSource
from relief.studies.scoring.diagnose import (
    DiagnoseRequest,
    MissedClass,
    ThingCalls,
    diagnose_labels,
)
from tests.relief.studies.tiny import KEYS, draw_store, draw_tree


def test_dead_clusters_and_absorbed_classes(tmp_path):
    root = draw_tree(tmp_path)
    labels = str(draw_store(tmp_path / "labels", k=9))
    found = diagnose_labels(DiagnoseRequest(labels, root=str(root)))
    assert found.num_clusters == 9
    assert found.dead_clusters == [7, 8]
    assert found.absorption["road"] == {"road": 100.0}
    # One to one, one of the two building clusters gets a class that nothing else wanted.
    assert len(found.absorption["building"]) == 2
    assert sum(found.absorption["building"].values()) == pytest.approx(100, abs=3)
    assert found.absorption["train"] == {}
    truth = CityscapesSource(root, "val")
    classes = torch.stack([truth.target(key)[..., 0] for key in KEYS])
    assert found.ground_truth_px == {
        name: int((classes == class_id).sum()) for class_id, name in enumerate(CITYSCAPES_19.names)
    }
    majority = diagnose_labels(DiagnoseRequest(labels, root=str(root), assignment="majority"))
    assert majority.absorption["building"]["building"] > 90
    assert "train" in majority.classes_without_cluster


KEY = "bonn/bonn_000000_000001"


def draw(tmp_path, ids, semantic, **manifest):
    """A tree and a store of one image; ids are labelIds of stuff, labels have no things."""
    root, out = tmp_path / "root", tmp_path / "labels"
    base = root / "gtFine" / "val" / KEY
    base.parent.mkdir(parents=True)
    write_png(base.with_name(base.name + "_gtFine_instanceIds.png"), ids.astype(np.uint16))
    write_png(base.with_name(base.name + "_gtFine_labelIds.png"), ids.astype(np.uint8))
    image = root / "leftImg8bit" / "val" / f"{KEY}_leftImg8bit.png"
    image.parent.mkdir(parents=True)
    write_png(image, np.zeros((*ids.shape, 3), np.uint8))
    out.mkdir()
    store = Manifest(**manifest, thing_ids=(), images={KEY: "labelled"})
    write_manifest(out, store)
    size = store.num_categories
    write_semantic(out, KEY, semantic, size)
    pairs = torch.stack((semantic, torch.zeros_like(semantic)), -1)
    write_panoptic(out, KEY, pairs, torch.zeros(size, dtype=torch.bool))
    return DiagnoseRequest(str(out), root=str(root))


def test_a_missed_class_names_what_absorbs_it(tmp_path):
    ids = np.full((10, 20), 7)  # road
    ids[:5], ids[5, :10], ids[6, :6] = 11, 13, 13  # building, fence
    clusters = torch.zeros(10, 20, dtype=torch.int64)
    clusters[:6] = 1  # building, and ten pixels of fence; six more lie under road
    request = draw(tmp_path, ids, clusters, k=3, groups=(-1,) * 3)
    found = diagnose_labels(dataclasses.replace(request, assignment="majority"))
    assert found.absorption["fence"] == {"building": 62.5, "road": 37.5}
    assert found.missed == [MissedClass("fence", [("building", 62.5), ("road", 37.5)], 16)]
    assert found.dead_clusters == [2]
    # One to one, the dead cluster is what is left for fence.
    hungarian = diagnose_labels(request)
    assert hungarian.assignment == "hungarian"
    assert hungarian.missed == found.missed
    assert hungarian.classes_without_cluster == [
        name for name in CITYSCAPES_19.names if name not in ("road", "building")
    ]
    assert hungarian.sentences[0] == "dead clusters: 1 of 3 (2)"


def test_a_cluster_that_wins_where_the_truth_is_void_is_not_dead(tmp_path):
    ids = np.full((4, 6), 7)
    ids[2:] = 1  # ego vehicle
    clusters = torch.zeros(4, 6, dtype=torch.int64)
    clusters[2:] = 1
    found = diagnose_labels(draw(tmp_path, ids, clusters, k=3, groups=(-1,) * 3))
    assert found.dead_clusters == [2]
    assert found.missed == []
    assert found.sentences[0] == "missed classes: none"


def test_ids_that_are_classes_stay_what_they_are(tmp_path):
    """Hungarian would swap them: more pixels agree so."""
    ids = np.full((4, 6), 7)
    ids[2:] = 8
    classes = torch.ones(4, 6, dtype=torch.int64)
    classes[2:] = 0
    request = draw(tmp_path, ids, classes, k=3, groups=(-1,) * 19, classes="cityscapes19")
    found = diagnose_labels(request)
    assert (found.assignment, found.ids, found.num_clusters) == ("identity", "classes", 19)
    assert found.missed == [
        MissedClass("road", [("sidewalk", 100.0)], 12),
        MissedClass("sidewalk", [("road", 100.0)], 12),
    ]
    assert found.classes_without_cluster == list(CITYSCAPES_19.names[2:])
    assert found.sentences == [f"classes that no pixel has: {', '.join(CITYSCAPES_19.names[2:])}"]
    asked = diagnose_labels(dataclasses.replace(request, assignment="hungarian"))
    assert asked.iou["road"] == 100


def test_the_result_has_a_folder():
    assert str(DiagnoseRequest("outputs/label/k80").folder) == "outputs/diagnose/k80"
    assert str(DiagnoseRequest("outputs/label/k80", out="there").folder) == "there"


def test_what_is_called_a_thing_is_held_against_the_classes():
    pixels = np.array([[90, 10], [20, 60], [15, 5], [0, 0]])  # stuff, thing
    calls = ThingCalls.of(pixels, np.array([False, True]), [1, 2, 3])
    assert (calls.called, calls.rightly, calls.living) == (2, 1, 3)
    assert calls.precision == pytest.approx(65)
    assert calls.recall == pytest.approx(100 * 65 / 75)
    assert calls.base == pytest.approx(37.5)
    assert "2 of 3, 1 of them rightly" in calls.sentence
    assert np.isnan(ThingCalls.of(pixels, np.array([False, True]), []).precision)


def test_labels_of_clusters_say_how_their_things_were_called(tmp_path):
    labels = str(draw_store(tmp_path / "labels", k=9))
    found = diagnose_labels(DiagnoseRequest(labels, root=str(draw_tree(tmp_path))))
    assert (found.things.called, found.things.rightly, found.things.living) == (3, 3, 7)
    assert found.things.sentence == found.sentences[-1]
