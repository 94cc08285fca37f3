import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
import torchmetrics
from hypothesis import given, settings
from hypothesis import strategies as st

from relief.metrics.panoptic_quality import MatchedPanopticQuality, PanopticQuality
from relief.schema.label_spaces import CITYSCAPES_19
from tests.relief.metrics.judges import STUFFS, THINGS, coco_judges, maps, seed_judge

GOLDEN = Path(__file__).parents[2] / "golden"
SINGLE = 1e-6  # torchmetrics divides in single precision


def score(protocol, preds, targets, keys=None, **options):
    metric = PanopticQuality(THINGS, STUFFS, protocol, **options)
    for index, (pred, target) in enumerate(zip(preds, targets, strict=True)):
        key = None if keys is None else [keys[index]]
        metric.update(torch.from_numpy(pred)[None], torch.from_numpy(target)[None], key)
    return metric.compute()


def counts(figures):
    columns = zip(*(figures[n].tolist() for n in ("iou_sum", "tp", "fp", "fn")), strict=True)
    return dict(enumerate(columns))


def random_maps(seed, size=(40, 60), max_instance=4):
    """A target of blocks with void and crowd, and a prediction that is the target disturbed."""
    random = np.random.default_rng(seed)
    target = np.zeros((*size, 2), np.int64)
    for _ in range(25):
        y, x = random.integers(0, size[0]), random.integers(0, size[1])
        h, w = random.integers(3, 20, 2)
        target[y : y + h, x : x + w] = random.integers(-1, 4), random.integers(0, max_instance)
    pred = np.roll(target, random.integers(-2, 3, 2), axis=(0, 1))
    for _ in range(8):
        y, x = random.integers(0, size[0]), random.integers(0, size[1])
        pred[y : y + 9, x : x + 9] = random.integers(-1, 4), random.integers(0, max_instance)
    for pairs in (pred, target):
        pairs[pairs[..., 0] < 0] = (-1, 0)
    return pred, target


def assert_equal(figures, verdict, tolerance=1e-9):
    ours = counts(figures)
    for c, expected in verdict.items():
        assert ours[c][1:] == tuple(expected[1:]), c
        assert ours[c][0] == pytest.approx(expected[0], rel=0, abs=tolerance), c


@given(st.lists(maps(), min_size=1, max_size=2))
@settings(max_examples=150, deadline=None)
def test_panopticapi_is_panopticapi_and_cityscapesscripts_on_small_maps(pairs):
    preds, targets = zip(*pairs, strict=True)
    with tempfile.TemporaryDirectory() as folder:
        for verdict in coco_judges(preds, targets, Path(folder)):
            assert_equal(score("panopticapi", preds, targets), verdict)


def test_panopticapi_is_the_judges_on_maps_with_void_and_crowd(tmp_path):
    preds, targets = zip(*(random_maps(seed) for seed in range(12)), strict=True)
    assert any((t[..., 0] == -1).any() for t in targets)
    assert any(((t[..., 0] == 2) & (t[..., 1] == 0)).any() for t in targets)
    figures = score("panopticapi", preds, targets)
    for verdict in coco_judges(preds, targets, tmp_path):
        assert sum(v[1] for v in verdict.values()) > 10
        assert_equal(figures, verdict)
        quality = [v[0] / (v[1] + 0.5 * v[2] + 0.5 * v[3]) for v in verdict.values()]
        assert figures["pq"].item() == pytest.approx(np.mean(quality), abs=1e-12)


def has_no_thing_without_instance(pred):
    pred = pred.copy()
    pred[np.isin(pred[..., 0], THINGS) & (pred[..., 1] == 0)] = (-1, 0)
    return pred


def torchmetrics_judge(preds, targets):
    judge = torchmetrics.detection.PanopticQuality(
        set(THINGS), set(STUFFS), allow_unknown_preds_category=True,
        return_sq_and_rq=True, return_per_class=True,
    )  # fmt: skip
    for pred, target in zip(preds, targets, strict=True):
        judge.update(torch.from_numpy(pred)[None], torch.from_numpy(target)[None])
    order = [judge.cat_id_to_continuous_id[c] for c in range(4)]
    names = ("iou_sum", "true_positives", "false_positives", "false_negatives")
    columns = [getattr(judge, name)[order].tolist() for name in names]
    return dict(enumerate(zip(*columns, strict=True))), judge


@given(st.lists(maps(), min_size=1, max_size=2))
@settings(max_examples=150, deadline=None)
def test_cups_is_torchmetrics_on_small_maps(pairs):
    preds, targets = zip(*pairs, strict=True)
    preds = [has_no_thing_without_instance(pred) for pred in preds]
    assert_equal(score("cups", preds, targets), torchmetrics_judge(preds, targets)[0], SINGLE)


def test_cups_is_torchmetrics_on_larger_maps():
    preds, targets = zip(*(random_maps(seed) for seed in range(6)), strict=True)
    preds = [has_no_thing_without_instance(pred) for pred in preds]
    verdict, judge = torchmetrics_judge(preds, targets)
    figures = score("cups", preds, targets)
    assert_equal(figures, verdict, SINGLE)
    expected = judge.compute()[[judge.cat_id_to_continuous_id[c] for c in range(4)]]
    torch.testing.assert_close(figures["per_class"], expected.double(), rtol=0, atol=SINGLE)


@given(st.lists(maps(side=8), min_size=1, max_size=2))
@settings(max_examples=150, deadline=None)
def test_seed_is_masks_one_after_the_other(pairs):
    preds, targets = zip(*pairs, strict=True)
    assert_equal(score("seed", preds, targets), seed_judge(preds, targets))


def test_seed_is_masks_one_after_the_other_on_larger_maps():
    preds, targets = zip(*(random_maps(seed) for seed in range(12)), strict=True)
    assert_equal(score("seed", preds, targets), seed_judge(preds, targets))


def golden_pairs(arrays, scene, setting):
    """Prediction and ground truth of a golden scene."""
    semantic = torch.from_numpy(arrays[f"{scene}/semantic"].astype(np.int64))
    instances = arrays[f"{scene}/{setting}/instances"].astype(np.int64)
    classes = arrays[f"{scene}/{setting}/classes"].astype(np.int64)
    of_instance = torch.from_numpy(classes)[torch.from_numpy(instances)]
    instance = torch.from_numpy(instances)
    category = torch.where(instance > 0, of_instance, semantic)
    pred = torch.stack((category, instance), -1)
    target = CITYSCAPES_19.target(torch.from_numpy(arrays[f"{scene}/gt_instance_ids"]))
    return pred, target


def test_seed_reproduces_the_golden_figures():
    published = json.loads((GOLDEN / "depth_split_pq.json").read_text())
    with np.load(GOLDEN / "depth_split.npz", allow_pickle=False) as arrays:
        for setting, expected in published.items():
            metric = PanopticQuality(CITYSCAPES_19.things, CITYSCAPES_19.stuffs, "seed")
            for scene in range(6):
                pred, target = golden_pairs(arrays, scene, setting)
                metric.update(pred[None], target[None])
            figures = metric.compute()
            for name in ("tp", "fp", "fn", "iou_sum"):
                wanted = torch.tensor(expected[name], dtype=torch.float64)
                torch.testing.assert_close(figures[name], wanted, rtol=0, atol=1e-9)
            for name in ("PQ", "PQ_stuff", "PQ_things", "SQ", "RQ"):
                assert round(100 * figures[name.lower()].item(), 2) == expected[name], name
            assert figures["instances_per_image"].item() == expected["instances_per_image"]


@given(
    st.lists(maps(max_category=4, max_instance=3), min_size=2, max_size=4),
    st.sampled_from(("panopticapi", "cups", "seed")),
    st.randoms(use_true_random=False),
)
@settings(max_examples=40, deadline=None)
def test_orders_and_numbers_change_no_bit(pairs, protocol, random):
    preds, targets = zip(*pairs, strict=True)
    expected = score(protocol, preds, targets)
    shuffled = list(pairs)
    random.shuffle(shuffled)
    numbers = np.array([0, *random.sample(range(1, 99), 3)])
    preds = [np.stack((p[..., 0], numbers[p[..., 1]]), -1) for p, _ in shuffled]
    targets = [np.stack((t[..., 0], numbers[t[..., 1]]), -1) for _, t in shuffled]
    found = score(protocol, preds, targets)
    for name, value in expected.items():
        assert torch.equal(value.nan_to_num(-1), found[name].nan_to_num(-1)), name


def test_a_perfect_map_is_one_and_a_wrong_one_zero():
    _, target = random_maps(3)
    target[(np.isin(target[..., 0], THINGS)) & (target[..., 1] == 0)] = (0, 0)
    figures = score("panopticapi", [target], [target])
    for name in ("pq", "sq", "rq", "pq_things", "pq_stuff", "miou", "pixel_accuracy"):
        assert figures[name].item() == 1.0, name
    wrong = target.copy()
    wrong[..., 0] = np.where(target[..., 0] >= 0, (target[..., 0] + 1) % 4, -1)
    assert score("panopticapi", [wrong], [target])["pq"].item() == 0.0


def test_no_image_and_no_class_are_nan():
    metric = PanopticQuality(THINGS, STUFFS)
    nothing = torch.full((1, 4, 4, 2), -1)
    nothing[..., 1] = 0
    metric.update(nothing, nothing)
    figures = metric.compute()
    assert figures["pq"].isnan() and figures["miou"].isnan() and figures["per_class"].isnan().all()


def test_rows_follow_ascending_class_ids_and_unseen_classes_are_nan():
    pred, target = random_maps(1)
    target[target[..., 0] == 1] = (0, 0)
    pred[pred[..., 0] == 1] = (0, 0)
    figures = score("panopticapi", [pred], [target])
    assert figures["per_class"].shape == (4, 3)
    assert figures["per_class"][1].isnan().all()
    assert not figures["per_class"][[0, 2, 3]].isnan().any()
    assert figures["pq"].item() == pytest.approx(
        figures["per_class"][[0, 2, 3], 0].mean().item(), abs=1e-12
    )


def test_an_image_counts_once_however_often_it_comes():
    pairs = [random_maps(seed) for seed in range(3)]
    preds, targets = zip(*pairs, strict=True)
    expected = score("panopticapi", preds, targets)["pq"]
    twice = score("panopticapi", preds * 2, targets * 2, keys=["a", "b", "c"] * 2)["pq"]
    assert torch.equal(twice, expected)
    different = score("panopticapi", (*preds, targets[0]), (*targets, targets[0]), keys="abca")
    assert torch.equal(different["pq"], expected)
    assert not torch.equal(
        score("panopticapi", (*preds, preds[0]), (*targets, targets[0]))["pq"], expected
    )


def test_compute_twice_update_compute_again_and_reset():
    preds, targets = zip(*(random_maps(seed) for seed in range(2)), strict=True)
    metric = PanopticQuality(THINGS, STUFFS)
    pairs = [
        tuple(torch.from_numpy(x)[None] for x in pair) for pair in zip(preds, targets, strict=True)
    ]
    metric.update(*pairs[0])
    first = metric.compute()["pq"]
    metric._computed = None
    assert torch.equal(metric.compute()["pq"], first)
    metric.update(*pairs[1])
    assert torch.equal(metric.compute()["pq"], score("panopticapi", preds, targets)["pq"])
    metric.reset()
    metric.update(*pairs[0])
    assert torch.equal(metric.compute()["pq"], first)


def test_states_merge_from_files(tmp_path):
    preds, targets = zip(*(random_maps(seed) for seed in range(4)), strict=True)
    merged = PanopticQuality(THINGS, STUFFS)
    for part in ((0, 1, 2), (2, 3)):
        metric = PanopticQuality(THINGS, STUFFS)
        for i in part:
            metric.update(
                torch.from_numpy(preds[i])[None], torch.from_numpy(targets[i])[None], [str(i)]
            )
        metric.save(tmp_path / f"{part[0]}.npz")
        assert (tmp_path / f"{part[0]}.npz").stat().st_size < 4000 * len(part)
        merged.load(tmp_path / f"{part[0]}.npz")
    assert torch.equal(merged.compute()["pq"], score("panopticapi", preds, targets)["pq"])


def test_wrong_arguments_are_told():
    with pytest.raises(ValueError, match="distinct"):
        PanopticQuality((1,), (1,))
    with pytest.raises(ValueError, match="protocol must be one of panopticapi, cups, seed"):
        PanopticQuality((1,), (0,), "coco")
    with pytest.raises(ValueError, match="assignment must be one of"):
        MatchedPanopticQuality(3, (1,), (0,), (1,), assignment="best")
    with pytest.raises(ValueError, match="3 classes"):
        MatchedPanopticQuality(3, (1,), (0,), (1,), assignment=[0])
    metric = PanopticQuality((1,), (0,))
    maps = torch.zeros((1, 2, 2, 2), dtype=torch.int64)
    with pytest.raises(ValueError, match="Expected `target`"):
        metric.update(maps, maps[:, :1])
    with pytest.raises(ValueError, match="Expected `preds`"):
        metric.update(maps, maps, ["a", "b"])


def relabel(pred, classes):
    """The map that a person would draw for an assignment: design of the classes after it."""
    classes = np.append(classes, -1)
    class_id = classes[pred[..., 0]]
    out = np.stack((class_id, np.zeros_like(class_id)), -1)
    thing_cluster = np.isin(pred[..., 0], (3, 4, 5))
    thing = np.isin(class_id, THINGS)
    objects = thing & thing_cluster & (pred[..., 1] > 0)
    out[objects, 1] = (pred[..., 0] * 10 + pred[..., 1])[objects]
    out[thing & thing_cluster & (pred[..., 1] == 0)] = (-1, 0)
    out[thing & ~thing_cluster, 1] = 99
    return out


@pytest.mark.parametrize("protocol", ["panopticapi", "cups", "seed"])
@pytest.mark.parametrize("assignment", ["majority", "hungarian", "cups"])
def test_matched_is_the_relabelled_map(protocol, assignment):
    pairs = [random_maps(seed) for seed in range(5)]
    random = np.random.default_rng(0)
    metric = MatchedPanopticQuality(6, THINGS, STUFFS, (3, 4, 5), assignment, protocol)
    clusters = []
    for pred, target in pairs:
        pred[..., 0] = np.where(pred[..., 0] >= 0, pred[..., 0] + random.integers(0, 3), -1)
        clusters.append(pred)
        metric.update(torch.from_numpy(pred)[None], torch.from_numpy(target)[None])
    figures = metric.compute()
    found = figures["assignment"].numpy()
    relabelled = [relabel(pred, found) for pred in clusters]
    expected = score(protocol, relabelled, [target for _, target in pairs])
    for name in ("tp", "fp", "fn", "iou_sum", "per_class"):
        torch.testing.assert_close(
            figures[name], expected[name], rtol=0, atol=1e-12, equal_nan=True
        )
    given = MatchedPanopticQuality(6, THINGS, STUFFS, (3, 4, 5), found.tolist(), protocol)
    for pred, (_, target) in zip(clusters, pairs, strict=True):
        given.update(torch.from_numpy(pred)[None], torch.from_numpy(target)[None])
    assert torch.equal(given.compute()["pq"], figures["pq"])


def test_more_than_255_clusters_and_objects():
    random = np.random.default_rng(0)
    ids = np.repeat(np.repeat(random.permutation(900).reshape(30, 30), 4, 0), 4, 1)
    pred = torch.from_numpy(np.stack((ids % 300, ids + 1), -1))[None]
    target = torch.from_numpy(np.stack((np.full_like(ids, 2), ids + 70000), -1))[None]
    metric = MatchedPanopticQuality(300, THINGS, STUFFS, range(300))
    metric.update(pred, target)
    assert metric.compute()["pq"].item() == 1.0


THESIS = Path(__file__).parents[2] / "golden" / "thesis.npz"
WITHOUT = (9, 14, 16)


@pytest.mark.parametrize("averaged", [None, [c for c in range(19) if c not in WITHOUT]])
def test_pq_plus_and_precision_are_the_reference(averaged):
    with np.load(THESIS, allow_pickle=False) as file:
        golden = {name: file[name] for name in file.files if name.startswith("pq/")}
    metric = PanopticQuality(range(11, 19), range(11), averaged_classes=averaged)
    for image in range(6):
        pair = (golden[f"pq/{image}/{side}"].astype(np.int64) for side in ("prediction", "target"))
        metric.update(*(torch.from_numpy(side)[None] for side in pair))
    found = metric.compute()
    suffix = "19" if averaged is None else "16"
    for name in ("pq", "sq", "rq"):
        assert float(found[name]) == pytest.approx(float(golden[f"pq/{name}{suffix}"]), abs=1e-9)
    dagger = float(golden[f"pq/pq_dagger{suffix}"])
    assert float(found["pq_plus"]) == pytest.approx(dagger, abs=1e-9)
    np.testing.assert_allclose(found["per_class"][:, 0], golden["pq/pq_per_class"], atol=1e-9)
    if averaged is None:
        assert float(found["precision50"]) == pytest.approx(
            float(golden["pq/precision8"]), abs=1e-9
        )


@pytest.mark.parametrize("wrong", [1, 2])
def test_every_object_counts_the_first_one_too(wrong):
    target = torch.zeros(1, 4, 6, 2, dtype=torch.int64)
    target[0, :, :3, 0], target[0, :2, :3, 1], target[0, 2:, :3, 1] = 11, 1, 2
    prediction = target.clone()
    prediction[prediction[..., 1] == wrong] = torch.tensor([12, wrong])
    metric = PanopticQuality([11, 12], [0])
    metric.update(prediction, target)
    found = metric.compute()
    assert (found["tp"].tolist(), found["fp"].tolist(), found["fn"].tolist()) == (
        [1, 1, 0], [0, 0, 1], [0, 1, 0],
    )  # fmt: skip
    assert float(found["precision50"]) == pytest.approx(0.5)


def test_averaged_classes_must_be_classes():
    with pytest.raises(ValueError, match="averaged_classes"):
        PanopticQuality([1], [0], averaged_classes=[0, 7])
