"""Labels made in memory against a label store of them, scored by the judge of stores."""

import dataclasses

import pytest
import torch

from relief.formats.depth_files import FolderDepth
from relief.formats.label_store import LabelStore, write_manifest, write_panoptic, write_semantic
from relief.metrics.protocols import panoptic_protocol
from relief.models.backbones.rgb_statistics import RGBStatistics
from relief.models.codebook_fitters.lloyd import LloydKMeans
from relief.models.codebooks.feature_samples import key_generator, sample_features
from relief.models.codebooks.thing_rule import PublishedThingRule
from relief.models.labelling.cluster_segmentation import label_pixels
from relief.models.labelling.panoptic_labels import panoptic_labels
from relief.ops.matching import assignment_rule
from relief.schema.errors import ReadError
from relief.schema.geometry import WindowGeometry
from relief.schema.label_spaces import CITYSCAPES_19
from relief.schema.manifest import Manifest
from relief.sources.cityscapes import CityscapesSource
from relief.splitters.connected import ConnectedSplitter
from relief.splitters.depth_gradient import DepthGradientSplitter
from relief.studies.features.codebook_runs import Measure, fit_codebook, measure_labels
from relief.studies.features.feature_windows import read_truth, see_images
from relief.studies.scoring.score import score_labels

SPLITTERS = {"edges": DepthGradientSplitter(0.2, 4), "components": ConnectedSplitter(30)}


@pytest.fixture
def seen(tiny_cityscapes):
    tree = CityscapesSource(tiny_cityscapes, "val")
    depth = FolderDepth(tiny_cityscapes / "depth")
    geometry = WindowGeometry(32, 32, 16)
    backbone = RGBStatistics(2)
    images = see_images(tree, tree.keys, backbone, depth, geometry, 24, lambda: None)
    samples = torch.cat(
        [sample_features(one.windows, 2, 100, key_generator(0, one.key)) for one in images]
    )
    codebook = fit_codebook(LloydKMeans(6), samples, images, depth, PublishedThingRule(2))
    return tree, depth, images, codebook


def test_things_and_groups_are_decided(seen):
    *_, codebook = seen
    assert codebook.centroids.shape == (6, 12)
    assert int(codebook.thing_ids.sum()) == 2
    assert sorted(codebook.groups[codebook.thing_ids].tolist()) == [0, 1]
    assert codebook.metadata["things"]["images"] == 3


def test_figures_are_those_of_a_store_of_the_same_labels(seen, tmp_path):
    tree, depth, images, codebook = seen
    truth = read_truth(tree, tree.keys)
    measure = Measure(CITYSCAPES_19, panoptic_protocol("cups"), assignment_rule("hungarian"))
    found = measure_labels(codebook, images, truth, depth, SPLITTERS, measure)
    assert list(found) == ["edges", "components"]
    assert found["edges"]["images"] == 3
    for name, splitter in SPLITTERS.items():
        store = write_store(tmp_path / name, seen, splitter)
        scores = score_labels(store, tree, ["cups"], ["hungarian"])
        expected = scores.metrics["cups/hungarian"]
        for figure in ("pq", "pq_things", "pq_stuff", "sq", "rq", "miou", "matched_things"):
            assert found[name][figure] == expected[figure], (name, figure)
    assert found["edges"]["miou"] == found["components"]["miou"] > 0


def test_turned_truth_is_refused_though_it_has_as_many_pixels(seen):
    tree, depth, images, codebook = seen
    truth = read_truth(tree, tree.keys)
    turned = [*truth[:-1], dataclasses.replace(truth[-1], ids=truth[-1].ids.T)]
    measure = Measure(CITYSCAPES_19, panoptic_protocol("cups"), assignment_rule("hungarian"))
    with pytest.raises(ReadError, match=f"differ in size: {tree.keys[-1]}"):
        measure_labels(codebook, images, turned, depth, SPLITTERS, measure)


def write_store(out, seen, splitter):
    tree, depth, images, codebook = seen
    manifest = Manifest(
        k=6,
        thing_ids=tuple(codebook.thing_ids.nonzero()[:, 0].tolist()),
        groups=tuple(codebook.groups.tolist()),
        images=dict.fromkeys(tree.keys, "labelled"),
    )
    out.mkdir()
    write_manifest(out, manifest)
    for one in images:
        semantic = label_pixels(one.windows, codebook, one.size)
        panoptic = panoptic_labels(semantic, one.depth(depth), codebook, splitter, one.split_size)
        write_semantic(out, one.key, semantic, 6)
        write_panoptic(out, one.key, panoptic, codebook.thing_ids)
    return LabelStore(out)
