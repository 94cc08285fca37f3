import math

import numpy as np
import pytest
import torch

from relief.formats.label_store import write_manifest, write_panoptic, write_semantic
from relief.schema.errors import UsageError
from relief.schema.label_spaces import CITYSCAPES_19, thing_mask
from relief.schema.manifest import Manifest
from relief.sources.cityscapes import CityscapesSource
from relief.studies.study import StudyData
from relief.studies.trainings import training_study as module
from relief.studies.trainings.training_study import TrainingRow, TrainingStudy
from tests.relief.studies.tiny import CLASS_OF_CLUSTER, KEYS, draw_tree, scene

RUNS = {"net": "train.py fit --seed $seed", "one": "label.py $net", "two": "label.py --x $net"}


def draw_class_store(out, objects):
    """Labels whose ids are classes, with the objects of the clusters or without any."""
    things, k = CITYSCAPES_19.things, CITYSCAPES_19.num_classes
    manifest = Manifest(
        k=k, thing_ids=things, groups=(-1,) * k, images=dict.fromkeys(KEYS, "labelled")
    )
    out.mkdir(parents=True)
    write_manifest(out, manifest)
    for index, key in enumerate(KEYS):
        _, clusters, instances, _ = scene(index)
        semantic = torch.from_numpy(np.array(CLASS_OF_CLUSTER)[clusters])
        pairs = torch.stack((semantic, torch.from_numpy(instances) * objects), -1)
        write_semantic(out, key, semantic, k)
        write_panoptic(out, key, pairs, thing_mask(things, k))


def study_of(root, folder, **options):
    rows = [
        TrainingRow("first", "one"),
        TrainingRow("second", "two", over="first", published={"pq": 36.95}),
    ]
    given = {"rows": rows, "seeds": [0, 1], "runs": RUNS, **options}
    return TrainingStudy(truth=CityscapesSource(root, "val"), folder=str(folder), **given)


def test_runs_of_all_seeds_are_made_in_order(tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(module, "run_chains", lambda chains, at_once, say: ran.extend(chains))
    study_of(draw_tree(tmp_path), tmp_path / "runs").prepare(print)
    assert [[one.what for one in chain] for chain in ran] == [
        [f"seed {seed}, {name}" for name in RUNS] for seed in (0, 1)
    ]
    folder = str(tmp_path / "runs/seed_1/net")
    assert list(ran[1][0].words)[-5:] == ["fit", "--seed", "1", "--out", folder]


def test_labels_are_scored_beside_the_published_and_compared_within_a_seed(tmp_path):
    root, folder = draw_tree(tmp_path), tmp_path / "runs"
    for seed in (0, 1):
        for name in ("one", "two"):
            draw_class_store(folder / f"seed_{seed}" / name, objects=name == "two")
    result = study_of(root, folder).run()
    assert [(run["name"], run["seed"]) for run in result.runs] == [
        ("first", 0), ("first", 1), ("second", 0), ("second", 1),
    ]  # fmt: skip
    first, second = result.runs[0], result.runs[2]
    assert math.isnan(first["precision50"])  # there is no object
    assert second["rq_things"] > first["rq_things"] == 0
    assert first["miou"] == second["miou"] > 50
    assert second["pq_plus"] > first["pq_plus"] > 0
    means, gains = result.tables
    assert [row[0] for row in means.rows] == ["first", "second", "  published"]
    assert means.rows[1][2].mean == pytest.approx(second["pq"])
    assert means.rows[2][2] == 36.95
    (gained,) = gains.rows
    assert gained[0] == "second over first"
    assert gained[2].mean == pytest.approx(second["pq"] - first["pq"])
    assert gained[2].deviation == pytest.approx(0, abs=1e-9)


def test_one_seed_has_no_deviation_and_missing_labels_are_told(tmp_path):
    root, folder = draw_tree(tmp_path), tmp_path / "runs"
    study = study_of(root, folder, rows=[TrainingRow("first", "one")], seeds=[4])
    with pytest.raises(UsageError, match="seed_4/one"):
        study.run()
    draw_class_store(folder / "seed_4" / "one", objects=True)
    (table,) = study.run().tables
    assert math.isnan(table.rows[0][1].deviation)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"seeds": []}, "no seed"),
        ({"rows": [TrainingRow("a", "net")]}, "makes net"),
        ({"rows": [TrainingRow("a", "one", over="b")]}, "row: b"),
        ({"rows": [TrainingRow("a", "one")] * 2}, "one name: a"),
    ],
)
def test_what_is_not_there_is_told(tmp_path, options, told):
    with pytest.raises(UsageError, match=told):
        study_of(tmp_path, tmp_path, **options)


def test_it_makes_its_own_labels(tmp_path):
    with pytest.raises(UsageError, match="--root"):
        study_of(tmp_path, tmp_path).on(StudyData(root="city"))


def test_objects_without_classes_are_compared_image_by_image(tmp_path):
    root, folder = draw_tree(tmp_path), tmp_path / "runs"
    for name in ("one", "two"):
        draw_class_store(folder / "seed_0" / name, objects=name == "two")
    rows = [
        TrainingRow("published alone", published={"ap": 9.7}),
        TrainingRow("first", "one"),
        TrainingRow("second", "two", over="first", published={"ap50": 20.8}),
    ]
    means, _, paired = study_of(root, folder, rows=rows, seeds=[0], measured="objects").run().tables
    assert [row[0] for row in means.rows] == [
        "published alone", "  published", "first", "second", "  published",
    ]  # fmt: skip
    assert means.rows[1][1] == 9.7
    (gained,) = paired.rows
    assert gained[0] == "second - first"
    assert float(gained[3]) == pytest.approx(means.rows[3][2].mean - means.rows[2][2].mean, abs=0.1)


def test_a_row_is_compared_with_one_that_is_made():
    rows = [TrainingRow("a", published={"ap": 1.0}), TrainingRow("b", "one", over="a")]
    with pytest.raises(UsageError, match="unknown row: a"):
        study_of("root", "folder", rows=rows, measured="objects")
    rows = [TrainingRow("a", "one", published={"pq": 1.0})]
    with pytest.raises(UsageError, match="unknown figure: pq"):
        study_of("root", "folder", rows=rows, measured="objects")


def test_rows_may_have_ground_truth_of_their_own_and_a_mean(tmp_path):
    root, folder = draw_tree(tmp_path), tmp_path / "runs"
    for name in ("one", "two"):
        draw_class_store(folder / "seed_0" / name, objects=name == "two")
    truth = CityscapesSource(root, "val")
    truth.keys = truth.keys[:1]
    rows = [
        TrainingRow("all", "two"),
        TrainingRow("first image", "two", truth="first"),
        TrainingRow("mean", mean_of=["all", "first image"], published={"ap": 12.5}),
    ]
    study = study_of(root, folder, rows=rows, seeds=[0], measured="boxes", truths={"first": truth})
    result = study.run()
    every, first, mean = result.runs
    assert (first["images"], mean["images"]) == (1, 1 + every["images"])
    assert mean["found"] == (every["found"] + first["found"]) / 2
    assert [row[0] for row in result.tables[0].rows] == [
        "all",
        "first image",
        "mean",
        "  published",
    ]
    with pytest.raises(UsageError, match="unknown truth: first"):
        study_of(root, folder, rows=rows, seeds=[0], measured="boxes")
    with pytest.raises(UsageError, match="unknown row: some"):
        study_of(root, folder, rows=[TrainingRow("mean", mean_of=["some"])], measured="boxes")
