"""The file that stands alone is held to what this program makes of the same probabilities."""

import ast
from pathlib import Path

import numpy as np
import pytest
import torch

from relief.models.segmenters.prediction.predictor import PanopticPredictor
from relief.ops.objects.parted_regions import parted_things
from relief.ops.resize import resize_nearest
from relief.predictions import panoptic_numpy
from relief.predictions.panoptic_numpy import bilinear, nearest, panoptic_map, parted
from relief.schema.training import DetectorClasses
from tests.relief.models.segmenters.test_boundary_network import small

CLASSES = DetectorClasses(things=(4, 2), stuff=(7,), apart=True)
MAPS = {"stuff": [7], "things": [4, 2], "boundary": 0.2, "min_area_px": 6, "reach_px": 2}


def blobs(seed, channels=1, size=(24, 32)):
    coarse = torch.rand(1, channels, 6, 8, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, size, mode="bilinear")[0]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [(24, 32), (48, 64), (37, 90)])
def test_maps_are_those_of_the_predictor(seed, size):
    network = small(min_area_px=6)
    shares, edges = (8 * blobs(seed, 4)).softmax(dim=0), blobs(seed + 50)[0] * 0.4
    shares[0] = 0
    network.shares = lambda image: (shares[None].clone(), edges[None])
    predictor = PanopticPredictor(score_threshold=0, stuff_area_px=0, unfound_as_stuff=True)
    expected = predictor(network, CLASSES, torch.rand(1, 3, 48, 64), size)[0].numpy()
    found = panoptic_map(shares.numpy(), edges.numpy(), MAPS, size)
    assert found[..., 1].max() > 1
    assert (found == expected).all()


@pytest.mark.parametrize("reach_px", [0, 1, 3])
def test_parts_are_those_of_the_labeller(reach_px):
    region, boundary = blobs(1)[0] > 0.4, blobs(2)[0] > 0.6
    expected = parted_things(region, boundary, 4, reach_px).numpy()
    assert expected.max() > 1
    assert (parted(region.numpy(), boundary.numpy(), 4, reach_px) == expected).all()


def test_resizing_is_that_of_the_networks():
    values = blobs(3, 2)
    larger = torch.nn.functional.interpolate(values[None], (53, 80), mode="bilinear")[0]
    np.testing.assert_allclose(bilinear(values.numpy(), (53, 80)), larger, atol=1e-6)
    labels = (10 * blobs(4)[0]).long()
    for size in ((53, 80), (11, 15)):
        assert (nearest(labels.numpy(), size) == resize_nearest(labels, size).numpy()).all()


def test_it_stands_alone():
    text = Path(panoptic_numpy.__file__).read_text(encoding="utf-8")
    assert len(text.splitlines()) < 150
    imported = {
        node.module.split(".")[0] if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert imported == {"__future__", "collections", "typing", "numpy", "scipy"}
