import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch

from relief.formats.label_png import write_png
from relief.formats.label_run import CODEBOOK
from relief.formats.label_store import LabelStore, write_panoptic
from relief.metrics.panoptic_quality import PanopticQuality
from relief.models.codebooks.codebook import Codebook
from relief.ops.objects.panoptic_map import compose_panoptic
from relief.schema.errors import ReadError, UsageError
from relief.schema.label_spaces import CITYSCAPES_19, thing_mask
from relief.schema.observation import Observation
from relief.sources.cityscapes import CityscapesSource
from relief.splitters.connected import ConnectedSplitter
from relief.splitters.depth_gradient import DepthGradientSplitter
from relief.splitters.knn_linkage import KnnLinkageSplitter
from relief.studies.scoring.score import score_labels
from relief.studies.sweeps.sweep import labels_to_make, run_sweep
from relief.studies.sweeps.sweep_plan import SweepDepth, SweepRequest, SweepRow, SweepSource
from tests.relief.studies.tiny import (
    CLASS_OF_CLUSTER,
    KEYS,
    SIZE,
    THING_CLUSTERS,
    draw_store,
    draw_tree,
    scene,
)

ROWS = [SweepRow([5]), SweepRow([10, 60], 0.1), SweepRow([30], 0.3, dilation_px=0)]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = draw_tree(tmp_path_factory.mktemp("sweep"))
    draw_store(root / "labels")
    return root


def request(root, out, rows=ROWS, splitters=(), **options):
    source = SweepSource("tiny", "{root}/labels", rows, splitters=list(splitters))
    return SweepRequest(
        [source],
        [SweepDepth("drawn", "{root}/depth")],
        root=str(root),
        **{"split_short_side_px": SIZE[0], "processes": 1, "out": str(out), **options},
    )


def chosen(result, **wanted):
    rows = [r for r in result.rows if all(r[name] == value for name, value in wanted.items())]
    assert len(rows) == 1, wanted
    return rows[0]


def test_every_setting_is_what_labelling_and_scoring_give(root, tmp_path):
    options = {"protocols": ["panopticapi", "cups", "seed"], "assignments": ["majority", "cups"]}
    other = KnnLinkageSplitter(8, 0.1, 30)
    result = run_sweep(request(root, tmp_path / "out", splitters=[other], **options))
    # 1 + 3 of the grid, and components at 10, 30 and 60; five is in the grid.
    assert len(result.rows) == (4 + 3 + 1) * 6
    assert (result.images, result.failures) == (3, [])
    store = LabelStore(draw_store(tmp_path / "labels"))
    tree = CityscapesSource(root, "val")
    groups = torch.tensor([*store.manifest.groups, -1])
    settings = {
        ("connected", None, 5): ConnectedSplitter(5),
        ("connected", None, 60): ConnectedSplitter(60),
        ("depth_gradient", 0.1, 10): DepthGradientSplitter(0.1, 10),
        ("depth_gradient", 0.1, 60): DepthGradientSplitter(0.1, 60),
        ("depth_gradient", 0.3, 30): DepthGradientSplitter(0.3, 30, dilation_px=0),
        ("knn_linkage", None, 30): other,
    }
    for (kind, tau, area), splitter in settings.items():
        for key in KEYS:
            semantic = store.semantic(key)
            depth = torch.from_numpy(scene(KEYS.index(key))[3])[None, None]
            observation = Observation(
                semantic=semantic[None], things=torch.ones(7, dtype=torch.bool), depth=depth
            )
            instance = splitter.split(observation.regions(groups[:-1])).instance[0]
            panoptic = compose_panoptic(semantic, instance, 7)
            write_panoptic(store.out, key, panoptic, thing_mask(THING_CLUSTERS, 7))
        scores = score_labels(store, tree)
        for protocol in options["protocols"]:
            for assignment in options["assignments"]:
                where = {"protocol": protocol, "assignment": assignment, "splitter": kind}
                row = chosen(result, gradient_threshold=tau, min_area_px=area, **where)
                figures = scores.metrics[f"{protocol}/{assignment}"]
                for name in ("pq", "sq", "rq_things", "miou", "pixel_accuracy", "matched_things"):
                    assert row[name] == figures[name], (kind, tau, area, protocol, name)
                assert row["instances_per_image"] == figures["instances_per_image"]


def test_a_stopped_sweep_goes_on_from_its_tables(root, tmp_path):
    copy = shutil.copytree(root, tmp_path / "copy")
    first = run_sweep(request(copy, tmp_path / "out"))
    tables = sorted((tmp_path / "out" / "tables").rglob("*.npz"))
    assert len(tables) == 3
    time_of = {path: path.stat().st_mtime_ns for path in tables}
    again = run_sweep(request(copy, tmp_path / "out"))
    assert json.dumps(again.rows) == json.dumps(first.rows)
    assert time_of == {path: path.stat().st_mtime_ns for path in tables}
    # A table that was cut is made again, here in vain; so are tables of other settings.
    (copy / "labels" / "semantic" / f"{KEYS[0]}.png").write_bytes(b"")
    tables[0].write_bytes(tables[0].read_bytes()[:500])
    cut = run_sweep(request(copy, tmp_path / "out"))
    assert cut.rows[0]["images"] == 2
    other = run_sweep(request(copy, tmp_path / "out", rows=[SweepRow([5]), SweepRow([5], 0.7)]))
    assert len(other.failures) == 1
    for key in KEYS[1:]:
        (copy / "labels" / "semantic" / f"{key}.png").write_bytes(b"")
    with pytest.raises(ReadError, match=r"^nothing to sweep: cannot read label: .*; cannot read"):
        run_sweep(request(copy, tmp_path / "new"))


@pytest.mark.parametrize("kind", ["depth", "gtFine"])
def test_tables_of_other_depth_or_ground_truth_are_made_anew(root, tmp_path, kind):
    copy = shutil.copytree(root, tmp_path / "copy")
    before = run_sweep(request(copy, tmp_path / "out"))
    for path in (copy / kind).rglob("*.*"):
        if path.suffix == ".npy":
            np.save(path, np.zeros_like(np.load(path)))
        elif path.name.endswith("instanceIds.png"):
            write_png(path, np.zeros(SIZE, np.uint16))
    after = run_sweep(request(copy, tmp_path / "out"))
    assert json.dumps(after.rows) == json.dumps(run_sweep(request(copy, tmp_path / "new")).rows)
    assert json.dumps(after.rows) != json.dumps(before.rows)


@pytest.mark.slow
def test_processes_change_nothing(root, tmp_path):
    alone = run_sweep(request(root, tmp_path / "a"))
    together = run_sweep(request(root, tmp_path / "b", processes=2))
    assert json.dumps(together.rows) == json.dumps(alone.rows)


def test_the_published_trees_are_split_by_class(root, tmp_path):
    copy = shutil.copytree(root, tmp_path / "copy")
    for index, key in enumerate(KEYS):
        path = copy / "pseudo_semantic_raw_k7" / "val" / f"{key}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_png(path, scene(index)[1].astype(np.uint8))
    source = SweepSource(
        "k=7", "{root}/pseudo_semantic_raw_k7", [SweepRow([5]), SweepRow([10], 0.1)],
        "monocular_ups", "classes",
    )  # fmt: skip
    asked = SweepRequest(
        [source, SweepSource("gone", "{root}/pseudo_semantic_raw_k9", [SweepRow([5])])],
        [SweepDepth("drawn", "{root}/depth")],
        root=str(copy), protocols=["seed"], split_short_side_px=SIZE[0], processes=1,
        out=str(tmp_path / "out"),
    )  # fmt: skip
    result = run_sweep(asked)
    assert len(result.failures) == 1 and "left out gone" in result.failures[0]
    row = chosen(result, gradient_threshold=0.1)
    assert row["assignment"] == "oracle_majority"
    metric = PanopticQuality(CITYSCAPES_19.things, CITYSCAPES_19.stuffs, "seed")
    tree = CityscapesSource(copy, "val")
    for index, key in enumerate(KEYS):
        _, clusters, _, depth = scene(index)
        semantic = torch.from_numpy(np.array(CLASS_OF_CLUSTER)[clusters])
        things = thing_mask(CITYSCAPES_19.things, 19)
        splitter = DepthGradientSplitter(0.1, 10)
        observation = Observation(
            semantic=semantic[None], things=things, depth=torch.from_numpy(depth)[None, None]
        )
        instance = splitter.split(observation).instance[0]
        metric.update(torch.stack((semantic, instance), -1)[None], tree.target(key)[None])
    assert row["pq"] == pytest.approx(100 * metric.compute()["pq"].item(), abs=1e-12)
    silent = SweepSource("k=7", source.labels, [SweepRow([5])], "monocular_ups")
    wrong = SweepRequest([silent], [], root=str(copy))
    with pytest.raises(UsageError, match="split_by: classes"):
        run_sweep(wrong)


def test_no_labels_and_no_ground_truth_are_told(root, tmp_path):
    with pytest.raises(UsageError, match="no labels found"):
        run_sweep(request(tmp_path, tmp_path / "out"))
    draw_store(tmp_path / "labels")
    with pytest.raises(UsageError, match="no labelled image has ground truth"):
        run_sweep(request(tmp_path, tmp_path / "out"))
    source = SweepSource("x", str(tmp_path / "none"), ROWS, label_args=["--out", "x"])
    asked = SweepRequest([source], [SweepDepth("drawn", "x")], root=str(root))
    assert labels_to_make(asked) == [source]
    assert labels_to_make(request(root, tmp_path)) == []


def test_one_region_and_others_are_swept_beside_the_groups_of_the_store(root, tmp_path):
    draw_store(tmp_path / "labels")
    sources = [
        SweepSource(name, str(tmp_path / "labels"), [SweepRow([10])], split_by=name)
        for name in ("groups", "one", "none")
    ]
    asked = request(root, tmp_path / "out")
    result = run_sweep(dataclasses.replace(asked, sources=sources))
    found = {row["source"]: row["instances_per_image"] for row in result.rows}
    by_hand = {}
    things = thing_mask(THING_CLUSTERS, 7)
    for name, groups in {
        "groups": [-1, -1, -1, -1, 0, 0, 1],
        "one": [-1, -1, -1, -1, 0, 0, 0],
        "none": [-1, -1, -1, -1, 0, 1, 2],
    }.items():
        counts = []
        for index in range(len(KEYS)):
            semantic = torch.from_numpy(scene(index)[1])[None]
            regions = Observation(semantic=semantic, things=things).regions(torch.tensor(groups))
            counts.append(int(ConnectedSplitter(10).split(regions).instance.max()))
        by_hand[name] = sum(counts) / len(counts)
    assert found == by_hand
    assert len(set(found.values())) > 1


def test_similar_clusters_are_those_of_the_codebook(root, tmp_path):
    draw_store(tmp_path / "labels")
    source = SweepSource("x", str(tmp_path / "labels"), [SweepRow([10])], split_by="similar")
    asked = dataclasses.replace(request(root, tmp_path / "out"), sources=[source])
    with pytest.raises(UsageError, match="no codebook to group by"):
        run_sweep(asked)
    codebook = Codebook()
    things, groups = thing_mask(THING_CLUSTERS, 7), torch.tensor([-1, -1, -1, -1, 0, 0, 0])
    centroids = torch.eye(7)
    centroids[5] = centroids[4] + 0.01
    told = {"things": {"merge_fraction": 0.3}}
    codebook.fill(centroids, things, groups, None, told)
    codebook.save(tmp_path / "labels" / CODEBOOK)
    row = chosen(run_sweep(asked), splitter="connected")
    as_stored = dataclasses.replace(asked, sources=[dataclasses.replace(source, split_by="groups")])
    assert row["pq"] == chosen(run_sweep(as_stored), splitter="connected")["pq"]
