from pathlib import Path

import numpy as np
import pytest
import torch

from relief.ops.objects.panoptic_map import majority_category
from relief.ops.splitting.depth_sharpening import ToggleSharpening
from relief.schema.label_spaces import CITYSCAPES_19, thing_mask
from relief.schema.observation import Observation
from relief.schema.parts import Splitter
from relief.splitters.connected import ConnectedSplitter
from relief.splitters.depth_gradient import DepthGradientSplitter
from tests.contracts.splitter import SplitterContract

GOLDEN = Path(__file__).parents[2] / "golden" / "depth_split.npz"
SETTINGS = [
    (None, 10),
    (0.05, 100),
    (0.05, 500),
    (0.1, 200),
    (0.2, 100),
    (0.2, 300),
    (0.2, 1000),
    (0.3, 300),
    (0.5, 300),
    (1.0, 200),
]
THINGS = thing_mask(CITYSCAPES_19.things, CITYSCAPES_19.num_classes)


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN, allow_pickle=False) as file:
        return {name: file[name] for name in file}


@pytest.mark.parametrize("scene", range(6))
@pytest.mark.parametrize("threshold, min_area_px", SETTINGS)
def test_splitters__golden(golden, scene, threshold, min_area_px):
    semantic = torch.from_numpy(golden[f"{scene}/semantic"].astype(np.int64))[None]
    depth = torch.from_numpy(golden[f"{scene}/depth"])[None, None]
    if threshold is None:
        splitter = ConnectedSplitter(min_area_px)
    else:
        splitter = DepthGradientSplitter(threshold, min_area_px)
    observation = Observation(semantic=semantic, things=THINGS, depth=depth)
    instance = splitter.split(observation).instance
    name = f"{scene}/tau={threshold},amin={min_area_px}"
    np.testing.assert_array_equal(instance[0], golden[f"{name}/instances"])
    classes = majority_category(semantic[0], instance[0], CITYSCAPES_19.num_classes)
    np.testing.assert_array_equal(classes[1:], golden[f"{name}/classes"][1:])


def test_depth_gradient__batch_as_one_by_one(golden):
    semantic = np.stack([golden[f"{i}/semantic"].astype(np.int64) for i in range(3)])
    depth = np.stack([golden[f"{i}/depth"] for i in range(3)])[:, None]
    splitter = DepthGradientSplitter(0.2, 300)
    assert isinstance(splitter, Splitter)
    assert splitter.needs == {"depth"}
    observation = Observation(
        semantic=torch.from_numpy(semantic), things=THINGS, depth=torch.from_numpy(depth)
    )
    together = splitter.split(observation).instance
    for i in range(3):
        np.testing.assert_array_equal(
            together[i], golden[f"{i}/tau=0.2,amin=300/instances"].astype(np.int64)
        )


def test_depth_gradient__without_depth_is_refused():
    observation = Observation(semantic=torch.zeros(1, 4, 4, dtype=torch.int64), things=THINGS)
    with pytest.raises(ValueError, match="DepthGradientSplitter needs depth"):
        DepthGradientSplitter(0.2, 1).split(observation)


class TestDepthGradient(SplitterContract):
    masks_may_overlap = True

    def splitter(self):
        return DepthGradientSplitter(gradient_threshold=0.3, min_area_px=4, sigma=0.0)


def test_soft_edges_part_objects_once_they_are_sharpened():
    depth = torch.full((1, 1, 40, 60), 0.2)
    depth[..., 25:35] = torch.linspace(0.25, 0.75, 10)
    depth[..., 35:] = 0.8
    semantic = torch.zeros(1, 40, 60, dtype=torch.int64)
    observation = Observation(semantic=semantic, things=torch.tensor([True]), depth=depth)
    plain = DepthGradientSplitter(1.0, 50)
    sharpened = DepthGradientSplitter(1.0, 50, sharpening=ToggleSharpening())
    assert plain.split(observation).instance.unique().tolist() == [1]
    instance = sharpened.split(observation).instance
    assert instance.unique().tolist() == [1, 2]
    assert instance[0, :, 20].unique() != instance[0, :, 40].unique()
