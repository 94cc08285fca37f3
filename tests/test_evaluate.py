import csv
import json
from pathlib import Path

import pytest
import torch
import yaml

import cli
import evaluate
from relief.formats.cityscapes import CityscapesLabels
from relief.formats.label_store import LabelStore, semantic_path, write_semantic
from relief.schema.label_spaces import CITYSCAPES_19
from relief.sources.cityscapes import CityscapesSource
from relief.studies.published.published_study import read_sweep
from relief.studies.scoring.score import score_labels, to_json
from tests.relief.studies.tiny import KEYS, SIZE, draw_store, draw_tree


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = draw_tree(tmp_path_factory.mktemp("city"))
    draw_store(root / "one")
    draw_store(root / "two", KEYS[:2])
    return root


def run(*args):
    return cli.exit_code(evaluate.main, [str(a) for a in args])


def test_labels_writes_the_figures_of_score_labels(root, tmp_path, capsys):
    assert run("labels", "--labels", root / "one", "--root", root, "--out", tmp_path) == 0
    store, truth = LabelStore(root / "one"), CityscapesSource(root, "val")
    figures = score_labels(store, truth).metrics
    assert (tmp_path / "metrics.json").read_text() == to_json(figures)
    assert json.loads((tmp_path / "assignment.json").read_text())["fitted_on"] == "val"
    assert (tmp_path / "per_class.png").stat().st_size > 5000
    assert "panopticapi/majority" in capsys.readouterr().out


def test_instances_writes_figures_and_a_page(root, tmp_path, capsys):
    given = ("instances", "--labels", root / "one", "--root", root)
    assert run(*given, "--out", tmp_path / "a") == 0
    figures = json.loads((tmp_path / "a" / "metrics.json").read_text())
    assert figures["counts"]["images"] == 3
    assert (tmp_path / "a" / "report.html").read_text().count("<figure>") == 9
    assert "objects found" in capsys.readouterr().out
    assert run("export", *given[1:3], "--format", "coco_instances", "--out", tmp_path / "e") == 0
    exported = ("--predictions", tmp_path / "e" / "instances.json", "--scores", "area")
    assert run("instances", *exported, "--root", root, "--out", tmp_path / "b") == 0
    assert json.loads((tmp_path / "b" / "metrics.json").read_text()) == figures
    truth = ("--truth", tmp_path / "none.json", "--out", tmp_path / "c")
    assert run(*given, *truth) == 2
    assert "cannot read COCO instances" in capsys.readouterr().err


def test_labels_of_one_protocol_in_27_classes(root, tmp_path):
    options = ("--protocol", "seed", "--assignment", "cups", "--label_space", "cityscapes27")
    assert run("labels", "--labels", root / "one", "--root", root, "--out", tmp_path, *options) == 0
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert list(metrics) == ["seed/cups"]
    assert len(metrics["seed/cups"]["per_class"]) == 27


def test_several_runs_have_mean_and_spread(root, tmp_path):
    given = ("--labels", root / "one", "--labels", root / "two", "--protocol", "panopticapi")
    assert run("labels", *given, "--root", root, "--out", tmp_path) == 0
    figures = json.loads((tmp_path / "metrics.json").read_text())["panopticapi/majority"]
    first, second = (run["pq"] for run in figures["runs"])
    assert first != second
    assert figures["pq"] == pytest.approx((first + second) / 2)
    assert figures["spread"]["pq"] == pytest.approx(abs(first - second) / 2**0.5)


def test_export_to_cityscapes_and_score_it_as_classes(root, tmp_path):
    assert run("labels", "--labels", root / "one", "--root", root, "--out", tmp_path / "m") == 0
    options = ("--labels", root / "one", "--format", "cityscapes", "--out", tmp_path / "ids")
    assert run("export", *options) == 2
    assert run("export", *options, "--assignment", tmp_path / "m" / "assignment.json") == 0
    assert CityscapesLabels(tmp_path / "ids", "val", CITYSCAPES_19).keys == sorted(KEYS)
    scored = ("--labels", tmp_path / "ids", "--format", "cityscapes", "--root", root)
    assert run("labels", *scored, "--out", tmp_path / "s") == 0
    mapped = json.loads((tmp_path / "s" / "metrics.json").read_text())["panopticapi/identity"]
    clusters = json.loads((tmp_path / "m" / "metrics.json").read_text())["panopticapi/majority"]
    for name in ("pq", "pq_things", "sq", "miou"):
        assert mapped[name] == pytest.approx(clusters[name], abs=1e-9), name


@pytest.mark.parametrize("name", ["cups", "coco_panoptic"])
def test_exports_score_as_the_store(root, tmp_path, name):
    assert run("export", "--labels", root / "one", "--format", name, "--out", tmp_path / "e") == 0
    exported = tmp_path / "e" / ("panoptic.json" if name == "coco_panoptic" else "")
    given = ("--labels", exported, "--format", name, "--root", root, "--protocol", "panopticapi")
    assert run("labels", *given, "--assignment", "majority", "--out", tmp_path / "s") == 0
    found = json.loads((tmp_path / "s" / "metrics.json").read_text())["panopticapi/majority"]
    store, tree = LabelStore(root / "one"), CityscapesSource(root, "val")
    expected = score_labels(store, tree).metrics["panopticapi/majority"]
    assert found["pq_stuff"] == pytest.approx(expected["pq_stuff"], abs=1e-9)
    assert found["matched_things"] == expected["matched_things"]


def test_diagnose_names_dead_clusters_and_missed_classes(root, tmp_path, capsys):
    draw_store(tmp_path / "wide", k=9)
    options = ("--labels", tmp_path / "wide", "--root", root, "--out", tmp_path)
    assert run("diagnose", *options) == 0
    found = json.loads((tmp_path / "diagnosis.json").read_text())
    assert found["dead_clusters"] == [7, 8]
    assert found["absorption"]["road"]["road"] == 100
    assert "person" not in found["classes_without_cluster"]
    assert found["missed"] == found["failures"] == []
    assert "dead clusters: 2 of 9 (7, 8)\n" in capsys.readouterr().out


def test_diagnose_says_what_is_missed_first_and_lists_what_cannot_be_read(
    root, tmp_path, capsys, monkeypatch
):
    draw_store(tmp_path / "one")
    for key in KEYS[1:]:
        write_semantic(tmp_path / "one", key, torch.zeros(SIZE, dtype=torch.int64), 7)
    semantic_path(tmp_path / "one", KEYS[0]).write_bytes(b"no picture")
    monkeypatch.chdir(tmp_path)
    assert run("diagnose", "--labels", "one", "--root", root) == 1
    found = json.loads((tmp_path / "outputs/diagnose/one/diagnosis.json").read_text())
    assert [one["name"] for one in found["missed"]] == ["building", "sky", "person", "car"]
    assert found["missed"][0]["absorbed_by"] == [["road", 100.0]]
    assert [one["key"] for one in found["failures"]] == [KEYS[0]]
    captured = capsys.readouterr()
    assert captured.out.startswith("Missed classes")
    assert captured.err.startswith("cannot read label")
    assert captured.out.endswith("written: outputs/diagnose/one/diagnosis.json\n")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("labels", "--labels", "nowhere"), "no labels found: nowhere"),
        (("labels",), "labels"),
        (("labels", "--labels", "ROOT", "--format", "voc"), "unknown format: voc"),
        (("labels", "--labels", "ROOT", "--protocol", "coco"), "protocol"),
        (("labels", "--labels", "ROOT"), "no label store"),
        (("export", "--labels", "ROOT/one", "--format", "cups"), "out"),
        (("sing",), "sing"),
    ],
)
def test_wrong_use_is_one_line_and_2(root, args, said, capsys):
    args = [a.replace("ROOT", str(root)) for a in args]
    assert run(*args) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.count("\n") == 1


def test_an_unreadable_image_is_listed_and_1(tmp_path, capsys):
    root = draw_tree(tmp_path)
    draw_store(root / "one")
    semantic_path(root / "one", KEYS[0]).write_bytes(b"no picture")
    assert run("labels", "--labels", root / "one", "--root", root, "--out", tmp_path / "m") == 1
    assert "cannot read label" in capsys.readouterr().err
    assert (tmp_path / "m" / "metrics.json").exists()


SWEEP = """
name: tiny
split_short_side_px: 48
processes: 1
protocols: [seed, panopticapi]
depths:
- {name: drawn, root: "{root}/depth"}
sources:
- name: k=7
  labels: "{root}/one"
  rows:
  - {min_areas_px: [5]}
  - {gradient_threshold: 0.1, min_areas_px: [10, 60]}
"""


def test_sweep_leaves_a_table_and_a_page(root, tmp_path, capsys):
    (tmp_path / "tiny.yaml").write_text(SWEEP)
    given = ("--config", tmp_path / "tiny.yaml", "--root", root, "--out", tmp_path / "out")
    assert run("sweep", *given) == 0
    lines = (tmp_path / "out" / "sweep.csv").read_text().splitlines()
    assert len(lines) == 1 + 2 * (3 + 2)
    assert lines[1].startswith("7,connected,,5,,seed,majority,")
    assert "<svg" in (tmp_path / "out" / "report.html").read_text()
    assert "k=7" in capsys.readouterr().out


OWN_SPLITTERS = """
import torch

from relief.ops.splitting.reclaim import partition
from relief.schema.observation import Split
from relief.schema.parts import Splitter
from relief.splitters.area_filtered import AreaFilteredSplitter


class Bright(Splitter):
    needs = frozenset({"image", "depth"})

    def __init__(self, least: float, words: list[str] | None = None):
        self.least, self.words = least, words

    def split(self, observation):
        assert observation.depth.shape[2:] == observation.semantic.shape[1:]
        bright = observation.image.mean(dim=(1, 2, 3)) > self.least
        ids = torch.where(observation.semantic >= 0, observation.semantic + 1, 0)
        return Split(ids * bright[:, None, None])


class Rows(AreaFilteredSplitter):
    def __init__(self, min_area_px: int, height_px: int):
        self.min_area_px, self.height_px = min_area_px, height_px

    def partition(self, regions, edges, least_area_px=1):
        cut = regions.copy()
        cut[:: self.height_px] = 0
        return partition(cut, least_area_px=least_area_px)
"""


def test_splitters_of_ones_own_are_swept_without_an_edit(root, tmp_path, monkeypatch, capsys):
    (tmp_path / "own_splitters.py").write_text(OWN_SPLITTERS)
    monkeypatch.syspath_prepend(tmp_path)
    parts = [
        {"class_path": "own_splitters.Bright", "init_args": {"least": 0.0}},
        {"class_path": "own_splitters.Bright", "init_args": {"least": 1.0, "words": ["a"]}},
        *(
            {"class_path": "own_splitters.Rows", "init_args": {"min_area_px": a, "height_px": 9}}
            for a in (5, 50)
        ),
    ]
    source = {"name": "mine", "labels": str(root / "one"), "splitters": parts}
    config = {
        "sources": [source],
        "depths": [{"name": "drawn", "root": "{root}/depth"}],
        "root": str(root),
        "processes": 1,
        "split_short_side_px": SIZE[0],
    }
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(config))
    assert run("sweep", "--config", tmp_path / "own.yaml", "--out", tmp_path / "out") == 0
    with (tmp_path / "out" / "sweep.csv").open() as file:
        rows = list(csv.DictReader(file))
    said = [(row["splitter"], row["min_area_px"], row["depth"], row["purpose"]) for row in rows]
    assert said == [
        ("own_splitters.Bright", "", "drawn", "grid"),
        ("own_splitters.Bright", "", "drawn", "grid"),
        ("own_splitters.Rows", "5", "", "grid"),
        ("own_splitters.Rows", "50", "", "grid"),
        ("connected", "5", "", "area_filter"),
        ("connected", "50", "", "area_filter"),
    ]
    assert json.loads(rows[1]["arguments"]) == {"least": 1.0, "words": ["a"]}
    bright, dark, *_ = (float(row["instances_per_image"]) for row in rows)
    assert bright > dark == 0
    assert "Bright" in capsys.readouterr().out
    assert "Rows" in (tmp_path / "out" / "report.html").read_text()


def test_a_sweep_over_features_is_refused_before_labels_are_made(root, tmp_path, capsys):
    module = "needs = frozenset({'features'})\n    def split(self, observation): ...\n"
    text = f"from relief.schema.parts import Splitter\n\n\nclass Far(Splitter):\n    {module}"
    (tmp_path / "far_splitter.py").write_text(text)
    source = {"name": "mine", "labels": str(root / "one"), "label_args": ["--out", "x"]}
    source["splitters"] = [{"class_path": "far_splitter.Far"}]
    (tmp_path / "far.yaml").write_text(yaml.safe_dump({"sources": [source], "depths": []}))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        assert run("sweep", "--config", tmp_path / "far.yaml", "--out", tmp_path / "out") == 2
    assert "Far needs features; this sweep has image, semantic." in capsys.readouterr().err
    assert not (tmp_path / "out" / "sweep.csv").exists()


@pytest.mark.parametrize("path", sorted(Path("configs/sweep").glob("*.yaml")), ids=str)
def test_shipped_sweeps_parse(path):
    request = read_sweep(path)
    assert request.sources and request.depths


def test_the_shipped_grid_is_the_published_one():
    request = read_sweep(Path("configs/sweep/granularity.yaml"))
    counts = {s.name: sum(len(row.min_areas_px) for row in s.rows) for s in request.sources}
    assert counts == {"k=50": 32, "k=60": 13, "k=80": 19, "27 clusters": 2, "k=300": 1}


def test_an_out_that_cannot_be_written_is_found_before_any_work(root, tmp_path, capsys):
    (tmp_path / "file").touch()
    commands = {
        "labels": ("--labels", "nothing", "--root", root),
        "diagnose": ("--labels", "nothing", "--root", root),
        "export": ("--labels", "nothing", "--format", "coco_panoptic"),
        "study": ("table_1",),
        "sweep": ("--config", cli.CONFIGS / "sweep" / "sample.yaml"),
    }
    for name, options in commands.items():
        assert run(name, *options, "--out", tmp_path / "file" / "e") == 2, name
        assert f"cannot write {tmp_path}/file/e: Not a directory" in capsys.readouterr().err, name
    assert run("labels", "--labels", "nothing", "--root", root, "--out", tmp_path / "new") == 2
    assert not (tmp_path / "new").exists()


def test_images_that_only_one_side_has_are_counted(root, tmp_path, capsys):
    assert run("labels", "--labels", root / "two", "--root", root, "--out", tmp_path) == 0
    said = "measured on 2 images: 0 labelled ones have no ground truth, 1 with ground truth"
    assert said in capsys.readouterr().out


def test_identity_of_clusters_is_said_to_leave_some_void(root, tmp_path, capsys):
    options = ("--assignment", "identity", "--labels", root / "one", "--root", root)
    assert run("labels", *options, "--out", tmp_path) == 0
    assert "lie above the classes" not in capsys.readouterr().out


def test_diagnose_objects_asks_ground_truth_step_by_step(root, tmp_path, capsys):
    draw_store(tmp_path / "labels")
    options = ("--labels", tmp_path / "labels", "--root", root, "--out", tmp_path / "found")
    assert run("diagnose", "objects", *options) == 0
    assert "their objects, true names" in capsys.readouterr().out
    assert len(json.loads((tmp_path / "found" / "objects.json").read_text())["steps"]) == 4
