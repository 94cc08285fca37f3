import numpy as np
import pytest
import torch
from sklearn.cluster import AgglomerativeClustering

from relief.schema.observation import Observation
from relief.splitters.knn_linkage import KnnLinkageSplitter
from tests.contracts.splitter import SplitterContract, drawn_observation

ONE_REGION = torch.tensor([True])


class TestKnnLinkage(SplitterContract):
    def splitter(self):
        return KnnLinkageSplitter(neighbours=8, max_distance=0.05, min_area_px=6)


class TestEverySecondPixel(SplitterContract):
    def splitter(self):
        return KnnLinkageSplitter(neighbours=8, max_distance=0.05, min_area_px=6, step_px=2)


class TestSureOfItself(SplitterContract):
    def splitter(self):
        return KnnLinkageSplitter(8, 0.05, 6, step_px=2, confidence_cuts=4)


def split(depth, semantic=None, **arguments):
    return whole_split(depth, semantic, **arguments).instance[0]


def whole_split(depth, semantic=None, **arguments):
    depth = torch.as_tensor(depth)
    semantic = torch.zeros(depth.shape, dtype=torch.int64) if semantic is None else semantic
    things = torch.ones(int(semantic.max()) + 1, dtype=torch.bool)
    observation = Observation(semantic=semantic[None], things=things, depth=depth[None, None])
    settings = {"neighbours": 10, "max_distance": 0.1, "min_area_px": 1} | arguments
    return KnnLinkageSplitter(**settings).split(observation)


def test_objects_at_different_depths_are_apart_and_one_depth_is_one_object():
    depth = np.full((20, 40), 0.5)
    depth[:, 25:] = 0.2
    instance = split(depth)
    assert (instance[:, :25] == 1).all()
    assert (instance[:, 25:] == 2).all()
    assert (split(depth, neighbours=400, max_distance=0.31) == 1).all()


@pytest.mark.parametrize("max_distance", [0.05, 0.12, 0.3])
def test_with_all_neighbours_it_is_single_linkage_as_scikit_learn_has_it(max_distance):
    depth = np.random.default_rng(0).random((12, 15)) * 0.6
    instance = split(depth, neighbours=179, max_distance=max_distance).numpy()
    row, column = np.indices(depth.shape)
    points = np.stack((column / 15, row / 15, depth), axis=-1).reshape(-1, 3)
    judge = AgglomerativeClustering(
        None, linkage="single", distance_threshold=np.nextafter(max_distance, 1)
    ).fit_predict(points)
    pairs = {*zip(judge.tolist(), instance.reshape(-1).tolist(), strict=True)}
    assert len(pairs) == len(set(judge.tolist())) == instance.max()


def test_distances_are_shares_of_the_longer_side():
    depth = np.zeros((8, 16))
    assert split(depth, max_distance=1 / 16).max() == 1
    assert split(depth, max_distance=0.99 / 16).max() == 8 * 16
    larger = np.zeros((16, 32))
    assert split(larger, max_distance=1 / 32).max() == 1


def test_neighbours_limit_what_is_joined():
    """Nearest neighbours lie in one's own row, so that rows far enough apart hang together not."""
    depth = np.zeros((9, 33))
    depth[3:6] = 0.06  # three rows between, nearer to each other than to the others
    assert split(depth, neighbours=2, max_distance=0.2).max() > 1
    assert split(depth, neighbours=40, max_distance=0.2).max() == 1


def test_regions_never_join_and_small_components_are_none():
    semantic = torch.zeros(10, 20, dtype=torch.int64)
    semantic[:, 12:] = 1
    semantic[0, 0] = -1
    instance = split(np.zeros((10, 20)), semantic, min_area_px=100)
    assert instance[0, 0] == 0
    assert instance.sum() == 119
    assert (instance[:, 12:] == 0).all()


def test_every_second_pixel_leaves_no_gap_along_borders():
    observation = drawn_observation(1, seed=3)
    splitter = KnnLinkageSplitter(10, 0.2, 1, step_px=2)
    instance = splitter.split(observation).instance[0]
    semantic = observation.semantic[0]
    inside = (semantic >= 0) & observation.things[semantic.clamp(min=0)]
    assert torch.equal(instance > 0, inside)


def test_odd_sides_with_every_third_pixel():
    instance = split(np.zeros((10, 17)), max_distance=0.5, step_px=3)
    assert (instance == 1).all()


@pytest.mark.parametrize("wrong", [{"neighbours": 0}, {"max_distance": 0.0}, {"step_px": 0}])
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=r"^Expected `neighbours` and `step_px`"):
        split(np.zeros((2, 2)), **wrong)


def test_confidence_is_the_share_of_distances_at_which_a_pixel_hangs_together_with_its_seed():
    """Three steps of depth: two joints of .055 and .095, and cuts at .05, .0667, .0833, .1."""
    depth = np.full((8, 40), 0.2)
    depth[:, 20:30] = 0.255
    depth[:, 30:] = 0.35
    found = whole_split(depth, neighbours=100, max_distance=0.1, confidence_cuts=4)
    assert (found.instance == 1).all()
    shares = found.confidence[0, 4, [5, 25, 35]]
    # the seed, of median depth, lies in the largest step
    assert shares.tolist() == [1.0, 0.75, 0.25]
    assert found.confidence.dtype == torch.float32
    one = whole_split(depth, neighbours=100, max_distance=0.1, confidence_cuts=1)
    assert (one.confidence == 1).all()


def test_confidence_is_off_by_default_and_nothing_outside_of_instances():
    semantic = torch.zeros(10, 20, dtype=torch.int64)
    semantic[:, 12:] = 1
    semantic[0, 0] = -1
    assert whole_split(np.zeros((10, 20)), semantic).confidence is None
    options = {"min_area_px": 100, "confidence_cuts": 3}
    found = whole_split(np.zeros((10, 20)), semantic, **options)
    assert torch.equal(found.confidence > 0, found.instance > 0)
    assert KnnLinkageSplitter(8, 0.1, 1, confidence_cuts=3).confidence_name.endswith("Splitter")
    assert KnnLinkageSplitter(8, 0.1, 1).confidence_name is None


def test_confidence_of_every_third_pixel_follows_its_block():
    depth = np.full((12, 30), 0.2)
    depth[:, 18:] = 0.27
    options = {"neighbours": 60, "max_distance": 0.2, "confidence_cuts": 2}
    coarse = whole_split(depth, step_px=3, **options).confidence[0]
    assert torch.equal(coarse, coarse[::3, ::3].repeat_interleave(3, 0).repeat_interleave(3, 1))
    assert coarse[5, [3, 27]].tolist() == [1.0, 0.5]
