import time

import pytest
import torch
from sklearn.cluster import MeanShift as Judge
from sklearn.metrics import adjusted_rand_score

from relief.schema.errors import ReadError, UsageError
from relief.schema.observation import Observation
from relief.splitters.embedding_clusters import AverageLinkage, EmbeddingClusters, MeanShift
from tests.contracts.splitter import SplitterContract


class TestMeanShift(SplitterContract):
    def splitter(self):
        return EmbeddingClusters(min_area_px=10)


class TestAverageLinkage(SplitterContract):
    def splitter(self):
        return EmbeddingClusters(AverageLinkage(0.8), min_area_px=10)


class TestEverythingAtOnce(SplitterContract):
    def splitter(self):
        method = MeanShift(merge_distance=None, support_share=0)
        return EmbeddingClusters(method, min_area_px=4, least_overlap=0.01, opening_px=3)


def objects(columns, noise=0.0):
    """Blocks of columns, each of embeddings of its own, in one region but for the last rows."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.tensor(columns).expand(16, len(columns))
    centres = 3 * torch.randn(max(columns) + 1, 6, generator=generator)
    features = centres[ids].permute(2, 0, 1)[None]
    features = features + noise * torch.randn(features.shape, generator=generator)
    semantic = torch.ones(1, 16, len(columns), dtype=torch.int64)
    semantic[:, 12:] = 0
    return ids[None], Observation(semantic, torch.tensor([False, True]), features=features)


@pytest.mark.parametrize("method", [MeanShift(), AverageLinkage()])
def test_objects_that_touch_are_told_apart_by_their_embeddings(method):
    ids, observation = objects([0] * 10 + [1] * 14 + [0] * 4 + [2] * 12, noise=0.05)
    instance = EmbeddingClusters(method, min_area_px=20).split(observation).instance
    inside = observation.semantic == 1
    assert not instance[~inside].any()
    assert adjusted_rand_score(ids[inside], instance[inside]) == 1.0
    assert int(instance.max()) == 3


def test_features_of_a_coarser_grid_are_taken_from_the_nearest_place():
    _, observation = objects([0] * 10 + [1] * 14)
    coarse = Observation(
        observation.semantic, observation.things, features=observation.features[..., ::2, ::2]
    )
    splitter = EmbeddingClusters(min_area_px=20)
    assert torch.equal(splitter.split(coarse).instance, splitter.split(observation).instance)


def test_a_few_strays_are_no_object_unless_as_published():
    _, observation = objects([0] * 60 + [1] * 1)
    kept = EmbeddingClusters(MeanShift(support_share=0), min_area_px=1).split(observation)
    assert int(kept.instance.max()) == 2
    floored = EmbeddingClusters(MeanShift(support_share=0.02), min_area_px=1).split(observation)
    assert int(floored.instance.max()) == 1
    assert (floored.instance > 0).sum() == 61 * 12  # strays go to the nearest object


def test_a_smear_of_embeddings_is_not_stable():
    _, observation = objects([0] * 30 + [1] * 30)
    smear = torch.linspace(0, 1.4, 30)
    observation.features[0, 0, :, 30:] += smear
    loose = EmbeddingClusters(min_area_px=20).split(observation).instance
    strict = EmbeddingClusters(min_area_px=20, least_overlap=0.65).split(observation).instance
    assert int(loose.max()) == 2
    assert int(strict.max()) == 1
    assert (strict[0, :12, :30] == 1).all()


def test_opening_cuts_bridges_and_closing_fills_gaps():
    _, observation = objects([0] * 20 + [1] * 20)
    observation.features[0, :, 5, 10] = observation.features[0, :, 5, 30]  # a hole, and a stray
    smooth = EmbeddingClusters(min_area_px=20, opening_px=3).split(observation).instance[0]
    assert smooth[5, 10] == smooth[5, 11] > 0
    assert len(smooth.unique()) == 3


def test_embeddings_that_are_not_finite_and_wrong_numbers_are_refused():
    _, observation = objects([0] * 8)
    observation.features[0, 0, 0, 0] = float("nan")
    with pytest.raises(ReadError, match="not finite"):
        EmbeddingClusters().split(observation)
    with pytest.raises(UsageError, match="opening_px=0"):
        EmbeddingClusters(opening_px=0)


def test_6000_points_of_16_dimensions_are_clustered_as_sklearn_does_and_faster():
    generator = torch.Generator().manual_seed(0)
    centres = 2 * torch.randn(12, 16, generator=generator)
    points = centres.repeat_interleave(500, 0)
    points = points + 0.08 * torch.randn(points.shape, generator=generator)
    method = MeanShift(merge_distance=None, support_share=0)
    method.cluster(points, 1)
    start = time.process_time()
    found = method.cluster(points, 1)
    ours = time.process_time() - start
    start = time.process_time()
    judge = Judge(bandwidth=0.5, seeds=points[::100].numpy()).fit_predict(points.numpy())
    judged = time.process_time() - start
    assert adjusted_rand_score(found.numpy(), judge) == 1.0
    assert ours < judged
