import json
from pathlib import Path

import numpy as np
import pytest
import torch

from relief.metrics.classes import Classes
from relief.metrics.protocols import SEED
from relief.metrics.scoring import JointRows, Scorer
from relief.ops.depth_edges import gradient_magnitude_cpu
from relief.ops.objects.panoptic_map import compose_panoptic
from relief.ops.panoptic import compact_pairs, segment_table
from relief.ops.resize import resize_nearest
from relief.schema.label_spaces import CITYSCAPES_19
from relief.schema.observation import Observation
from relief.splitters.connected import ConnectedSplitter
from relief.splitters.depth_gradient import DepthGradientSplitter
from relief.studies.sweeps.split_tables import (
    Box,
    compare,
    cut_table,
    panoptic_rows,
)

GOLDEN = Path(__file__).parents[3] / "golden"
NONE = np.zeros(0, np.int64)
SCORER = Scorer.of_classes(Classes.of(CITYSCAPES_19.things, CITYSCAPES_19.stuffs))


def setting(name):
    tau, area = (part.split("=")[1] for part in name.split(","))
    return None if tau == "None" else float(tau), int(area)


def parted(splitter, regions, gradient=None):
    """The parts inside the box, as a sweep makes them."""
    box = Box.around(regions)
    inside = np.ascontiguousarray(box.of(regions))
    return splitter.partition(inside, lambda _, threshold, __: box.of(gradient) > threshold)


def test_golden_figures_come_out_of_one_pass():
    published = json.loads((GOLDEN / "depth_split_pq.json").read_text())
    cuts = tuple(dict.fromkeys(setting(name)[0] for name in published))
    scenes = []
    with np.load(GOLDEN / "depth_split.npz", allow_pickle=False) as arrays:
        for scene in range(6):
            semantic = arrays[f"{scene}/semantic"].astype(np.int64)
            target = CITYSCAPES_19.target(torch.from_numpy(arrays[f"{scene}/gt_instance_ids"]))
            true_ids, true_pairs = compact_pairs(target)
            regions = np.where(np.isin(semantic, CITYSCAPES_19.things), semantic + 1, 0)
            gradient = gradient_magnitude_cpu(arrays[f"{scene}/depth"])
            comparison = compare(semantic, regions, true_ids.numpy(), true_pairs.numpy())
            tables = {}
            for tau in cuts:
                splitter = ConnectedSplitter(1) if tau is None else DepthGradientSplitter(tau, 1)
                tables[tau] = cut_table(parted(splitter, regions, gradient), comparison, NONE)
            scenes.append((comparison, tables))
    for name, expected in published.items():
        cut, area = setting(name)
        rows = JointRows.of(
            [
                np.concatenate(
                    [
                        panoptic_rows(tables[cut], comparison.pairs, area, 19),
                        np.insert(comparison.stuff, 1, 0, axis=1),
                    ]
                )
                for comparison, tables in scenes
            ]
        )
        identity = SCORER.identity()
        confusion = SCORER.confusion(SCORER.counts(rows.table), identity)
        figures = SCORER.figures(rows, confusion, identity, SEED)
        for total in ("tp", "fp", "fn", "iou_sum"):
            np.testing.assert_allclose(figures.totals[total], expected[total], rtol=0, atol=1e-9)
        assert figures.row.instances_per_image == expected["instances_per_image"]


def random_scene(seed, size=(40, 56)):
    random = np.random.default_rng(seed)
    clusters = np.kron(random.integers(-1, 5, (5, 7)), np.ones((8, 8), np.int64))
    depth = np.kron(random.random((10, 14)), np.ones((4, 4))).astype(np.float32)
    target = np.kron(random.integers(-1, 3, (10, 14, 2)), np.ones((4, 4, 1), np.int64))
    target[target[..., 0] < 0] = (-1, 0)
    return clusters, depth, np.maximum(target, [-1, 0])


def sorted_table(rows):
    """Rows of one segment pair added up."""
    found = {}
    for *key, pixels in np.asarray(rows).tolist():
        found[tuple(key)] = found.get(tuple(key), 0) + pixels
    return found


def renamed(table):
    """Instances by area and category, whatever their numbers."""
    areas = {}
    for (category, instance, *_), pixels in table.items():
        areas[category, instance] = areas.get((category, instance), 0) + pixels
    return sorted((c, i > 0, area) for (c, i), area in areas.items())


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("factor", [1, 2])
def test_every_area_filter_is_the_splitter_and_the_composed_map(seed, factor):
    clusters, depth, target = random_scene(seed)
    target = np.kron(target, np.ones((factor, factor, 1), np.int64))
    groups = np.array([-1, 0, 0, 1, -1])  # clusters 1 and 2 are split together, 3 alone
    regions = np.append(groups + 1, 0)[clusters]
    true_ids, true_pairs = compact_pairs(torch.from_numpy(target))
    flat = torch.arange(clusters.size).reshape(clusters.shape)
    nearest = None if factor == 1 else resize_nearest(flat, target.shape[:2]).numpy()
    comparison = compare(clusters, regions, true_ids.numpy(), true_pairs.numpy(), nearest)
    gradient = gradient_magnitude_cpu(depth, 0.0)
    semantic = torch.from_numpy(clusters)
    region = torch.from_numpy(np.append(groups, -1)[clusters])[None]
    for area in (1, 10, 60, 200):
        for splitter in (ConnectedSplitter(area), DepthGradientSplitter(0.3, area, 0.0)):
            as_depth = torch.from_numpy(depth)[None, None]
            observation = Observation(
                semantic=region, things=torch.ones(2, dtype=torch.bool), depth=as_depth
            )
            instance = splitter.split(observation).instance[0]
            panoptic = compose_panoptic(semantic, instance, 5)
            large = resize_nearest(panoptic.movedim(-1, 0), target.shape[:2]).movedim(0, -1)
            expected = sorted_table(segment_table(large.contiguous(), torch.from_numpy(target)))
            table = cut_table(parted(splitter, regions, gradient), comparison, NONE)
            things = panoptic_rows(table, comparison.pairs, area, 5)
            found = sorted_table(
                np.concatenate((things, np.insert(comparison.stuff, 1, 0, axis=1)))
            )
            assert renamed(found) == renamed(expected)
            shared = {k: v for k, v in expected.items() if k[1] == 0}
            assert {k: v for k, v in found.items() if k[1] == 0} == shared
            assert sorted(found.values()) == sorted(expected.values())


def test_the_box_is_around_all_things_and_empty_without_any():
    regions = np.zeros((6, 9), np.int64)
    assert Box.around(regions) == Box(0, 0, 0, 0)
    regions[2, 3] = regions[4, 7] = 5
    box = Box.around(regions)
    assert (box.top, box.bottom, box.left, box.right) == (2, 5, 3, 8)
    flat = np.flatnonzero(regions)
    assert box.of(regions).reshape(-1)[box.positions(flat, 9)].tolist() == [5, 5]


def test_an_image_without_things():
    clusters = np.zeros((4, 4), np.int64)
    comparison = compare(clusters, clusters, clusters.astype(np.int32), np.array([[0, 0]]))
    for splitter in (ConnectedSplitter(1), DepthGradientSplitter(0.1, 1)):
        parts = parted(splitter, clusters, np.zeros((4, 4)))
        rows = panoptic_rows(cut_table(parts, comparison, NONE), comparison.pairs, 1, 3)
        assert rows.shape == (0, 5)
    assert comparison.stuff.tolist() == [[0, 0, 0, 16]]


def test_edges_are_counted_by_component():
    regions = np.array([[1, 1, 0, 2], [1, 1, 0, 2]])
    comparison = compare(regions, regions, np.zeros((2, 4), np.int32), np.array([[0, 0]]))
    parts = parted(ConnectedSplitter(1), regions)
    table = cut_table(parts, comparison, np.array([0, 1, 2, 7]))
    assert table.area_px.tolist() == [0, 4, 2]
    assert table.edge_px.tolist() == [1, 2, 1]
