import json
from pathlib import Path

import numpy as np
import pytest
import torch

from relief.formats.label_store import LabelStore, panoptic_path
from relief.metrics.panoptic_quality import MatchedPanopticQuality, PanopticQuality
from relief.schema.errors import UsageError
from relief.schema.label_spaces import CITYSCAPES_19
from relief.sources.cityscapes import CityscapesSource
from relief.studies.scoring.score import (
    pixel_counts,
    score_labels,
    to_json,
    write_scores,
)
from tests.relief.studies.tiny import (
    CLASS_OF_CLUSTER,
    KEYS,
    THING_CLUSTERS,
    draw_store,
    draw_tree,
)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    root = tmp_path_factory.mktemp("drawn")
    draw_tree(root)
    return LabelStore(draw_store(root / "labels")), CityscapesSource(root, "val")


@pytest.mark.parametrize("protocol", ["panopticapi", "cups", "seed"])
@pytest.mark.parametrize("assignment", ["majority", "hungarian", "cups"])
def test_score_is_the_metric(drawn, protocol, assignment):
    store, tree = drawn
    figures = score_labels(store, tree, [protocol], [assignment]).metrics
    metric = MatchedPanopticQuality(
        7, CITYSCAPES_19.things, CITYSCAPES_19.stuffs, THING_CLUSTERS, assignment, protocol
    )
    for key in KEYS:
        metric.update(store.panoptic(key)[None], tree.target(key)[None], [key])
    expected = metric.compute()
    assert list(figures) == [f"{protocol}/{assignment}"]
    found = figures[f"{protocol}/{assignment}"]
    for name in ("pq", "sq", "rq", "pq_things", "rq_stuff", "miou", "pixel_accuracy"):
        assert found[name] == pytest.approx(100 * expected[name].item(), abs=1e-12), name
    assert found["instances_per_image"] == expected["instances_per_image"].item()
    assert found["instances_per_image"] == (3 if assignment == "hungarian" else 5)
    assert found["true_instances_per_image"] == 5
    assert found["images"] == 3


def test_majority_names_the_clusters_and_the_files_hold_it(drawn, tmp_path):
    scores = score_labels(*drawn, fitted_on="val")
    assert tuple(scores.assignments["majority"].panoptic) == CLASS_OF_CLUSTER
    write_scores(tmp_path, scores)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert set(metrics) == {
        f"{p}/{a}"
        for p in ("panopticapi", "cups", "seed")
        for a in ("majority", "hungarian", "cups")
    }
    best = metrics["panopticapi/majority"]
    assert 50 < best["pq"] < 100
    assert best["pq"] == scores.metrics["panopticapi/majority"]["pq"]
    low, high = best["interval"]["pq"]
    assert low <= best["pq"] <= high
    assert best["per_class"]["train"]["pq"] is None
    assert best["per_class"]["person"]["pq"] > 50
    assignment = json.loads((tmp_path / "assignment.json").read_text())
    assert tuple(assignment["majority"]["panoptic"]) == CLASS_OF_CLUSTER
    assert assignment["label_space"] == "cityscapes19"
    assert assignment["fitted_on"] == "val"


def test_an_assignment_may_come_from_other_images(drawn, tmp_path):
    store, tree = drawn
    one = LabelStore(draw_store(tmp_path / "one", KEYS[:1]))
    counts = pixel_counts(store, tree)
    own = score_labels(one, tree).assignments["hungarian"]
    other = score_labels(one, tree, fit=counts).assignments["hungarian"]
    all_ = score_labels(store, tree).assignments["hungarian"]
    assert np.array_equal(other.panoptic, all_.panoptic)
    assert own.panoptic.shape == other.panoptic.shape


def test_27_classes(drawn):
    in_27 = CityscapesSource(drawn[1].root, "val", "cityscapes27")
    figures = score_labels(drawn[0], in_27, ["panopticapi"], ["majority"]).metrics
    names = figures["panopticapi/majority"]["per_class"]
    assert len(names) == 27
    assert names["road"]["pq"] > 50


def test_seed_is_compared_at_a_short_side_of_512(tmp_path):
    class Enlarged:
        def __init__(self, inner, factor):
            self.inner, self.factor = inner, factor

        def __getattr__(self, name):
            return getattr(self.inner, name)

        def large(self, map_):
            return map_.repeat_interleave(self.factor, 0).repeat_interleave(self.factor, 1)

        def panoptic(self, key):
            return self.large(self.inner.panoptic(key))

        def semantic(self, key):
            return self.large(self.inner.semantic(key))

        def target(self, key):
            return self.large(self.inner.target(key))

    tree = CityscapesSource(draw_tree(tmp_path), "val")
    store = LabelStore(draw_store(tmp_path / "labels", KEYS[:1]))
    large = [Enlarged(store, 16), Enlarged(tree, 16)]
    found = score_labels(*large, ["seed"], ["majority"]).metrics["seed/majority"]
    metric = MatchedPanopticQuality(
        7, CITYSCAPES_19.things, CITYSCAPES_19.stuffs, THING_CLUSTERS, "majority", "seed"
    )
    rows = (2 * torch.arange(512) + 1) * 768 // 1024
    columns = (2 * torch.arange(1024) + 1) * 1536 // 2048
    pred, target = large[0].panoptic(KEYS[0]), large[1].target(KEYS[0])
    metric.update(pred[rows][:, columns][None], target[rows][:, columns][None])
    expected = metric.compute()
    assert found["pq"] == pytest.approx(100 * expected["pq"].item(), abs=1e-12)
    full = score_labels(*large, ["panopticapi"], ["majority"]).metrics
    assert full["panopticapi/majority"]["pq"] != found["pq"]


def test_labels_of_another_size_are_brought_to_the_ground_truth(drawn):
    store, tree = drawn

    class Half:
        keys, num_categories, thing_ids = store.keys, store.num_categories, store.thing_ids

        def panoptic(self, key):
            return store.panoptic(key)[1::2, 1::2]

        def semantic(self, key):
            return store.semantic(key)[1::2, 1::2]

    found = score_labels(Half(), tree, ["panopticapi"], ["majority"]).metrics
    metric = MatchedPanopticQuality(7, CITYSCAPES_19.things, CITYSCAPES_19.stuffs, THING_CLUSTERS)
    for key in KEYS:
        small = store.panoptic(key)[1::2, 1::2]
        large = small.repeat_interleave(2, 0).repeat_interleave(2, 1)
        metric.update(large[None], tree.target(key)[None])
    expected = metric.compute()["pq"].item()
    assert found["panopticapi/majority"]["pq"] == pytest.approx(100 * expected, abs=1e-12)


def test_a_format_that_does_not_name_its_things(drawn):
    store, tree = drawn

    class Silent:
        keys, num_categories, thing_ids = store.keys, store.num_categories, None
        panoptic, semantic = store.panoptic, store.semantic

    expected = score_labels(store, tree, ["panopticapi"], ["majority"]).metrics
    found = score_labels(Silent(), tree, ["panopticapi"], ["majority"]).metrics
    assert to_json(found) == to_json(expected)


def test_an_unreadable_image_is_listed_and_the_others_are_scored(tmp_path):
    tree = CityscapesSource(draw_tree(tmp_path), "val")
    store = LabelStore(draw_store(tmp_path / "labels"))
    path = panoptic_path(store.out, KEYS[1])
    path.write_bytes(path.read_bytes()[:40])
    scores = score_labels(store, tree, ["panopticapi"], ["majority"])
    assert [failure["key"] for failure in scores.failures] == [KEYS[1]]
    assert scores.metrics["panopticapi/majority"]["images"] == 2


def test_no_ground_truth_is_told(drawn, tmp_path):
    with pytest.raises(UsageError, match="no labelled image has ground truth"):
        score_labels(drawn[0], CityscapesSource(tmp_path, "val"))


def test_class_ids_score_as_themselves(drawn):
    _, tree = drawn

    class Truth:
        keys, num_categories, thing_ids = list(KEYS), 19, CITYSCAPES_19.things

        def panoptic(self, key):
            return tree.target(key)

        def semantic(self, key):
            return tree.target(key)[..., 0]

    found = score_labels(Truth(), tree, ["panopticapi"], ["identity"]).metrics
    figures = found["panopticapi/identity"]
    assert figures["pq"] == figures["miou"] == figures["ap50"] == figures["recall"] == 100
    metric = PanopticQuality(CITYSCAPES_19.things, CITYSCAPES_19.stuffs)
    for key in KEYS:
        metric.update(*[tree.target(key)[None]] * 2)
    assert metric.compute()["pq"].item() == 1.0


def test_identity_of_more_ids_than_classes_is_said_to_leave_some_void(tmp_path, caplog):
    class Clusters:
        keys = ("a",)
        num_categories = 21
        thing_ids = (0,)

        def semantic(self, key):
            return torch.zeros(2, 2, dtype=torch.int64)

        def panoptic(self, key):
            return torch.zeros(2, 2, 2, dtype=torch.int64)

    class Truth:
        label_space, root = CITYSCAPES_19, Path()

        def target_path(self, key):
            return Path(key)

        def target(self, key):
            return torch.zeros(2, 2, 2, dtype=torch.int64)

    with caplog.at_level("WARNING", logger="relief"):
        score_labels(Clusters(), Truth(), ["seed"], ["identity"])
    assert "identity: 2 of 21 ids lie above the classes and count as void" in caplog.text
