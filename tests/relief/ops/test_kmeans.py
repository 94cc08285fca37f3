import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

from relief.ops import kmeans
from relief.ops.kmeans import fit_kmeans


def inertia(features, centroids):
    return float(
        torch.cdist(features.double(), centroids.double()).min(dim=1).values.square().sum()
    )


def blobs(k, per_blob, dim, spread, seed=0, offset=0.0):
    rng = np.random.default_rng(seed)
    centres = rng.permutation(np.eye(dim)[:k]) * 10 + offset
    points = centres[:, None] + rng.uniform(-spread, spread, (k, per_blob, dim))
    points = points.astype(np.float32)
    return torch.from_numpy(points.reshape(-1, dim)), torch.from_numpy(points.mean(axis=1))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_fit__separated_blobs_exactly(seed, offset):
    features, means = blobs(12, 50, 16, spread=0.5, seed=seed, offset=offset)
    shuffled = features[torch.randperm(len(features), generator=torch.Generator().manual_seed(1))]
    found = fit_kmeans(shuffled, 12, seed=seed)
    assert found.dtype == torch.float32
    nearest = torch.cdist(means, found).argmin(dim=1)
    assert sorted(nearest.tolist()) == list(range(12))
    torch.testing.assert_close(found[nearest], means, rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("k", [5, 40])
def test_fit__inertia_as_scikit_learn(k):
    rng = np.random.default_rng(3)
    directions = rng.normal(size=(60, 20))
    points = directions[rng.integers(0, 60, 6000)] + 0.6 * rng.normal(size=(6000, 20))
    features = torch.nn.functional.normalize(torch.from_numpy(points.astype(np.float32)), dim=1)
    judged = KMeans(k, n_init=3, random_state=0).fit(features.numpy()).inertia_
    assert inertia(features, fit_kmeans(features, k)) <= 1.02 * judged


def test_fit__subsample_then_all(monkeypatch):
    monkeypatch.setattr(kmeans, "LEAST_SUBSAMPLE", 100)
    monkeypatch.setattr(kmeans, "SUBSAMPLE_PER_CENTROID", 1)
    features, means = blobs(6, 400, 8, spread=0.5)
    found = fit_kmeans(features, 6)
    torch.testing.assert_close(
        found[torch.cdist(means, found).argmin(dim=1)], means, rtol=1e-6, atol=1e-5
    )


def test_fit__same_bytes_again_and_another_seed_differs():
    features = torch.rand(3000, 7, generator=torch.Generator().manual_seed(0))
    once, again = fit_kmeans(features, 20, seed=4), fit_kmeans(features, 20, seed=4)
    assert torch.equal(once, again)
    assert not torch.equal(once, fit_kmeans(features, 20, seed=5))


def test_fit__global_random_state_is_neither_used_nor_moved():
    features = torch.rand(500, 3, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(1)
    once = fit_kmeans(features, 8)
    state = torch.get_rng_state()
    torch.manual_seed(2)
    assert torch.equal(once, fit_kmeans(features, 8))
    torch.manual_seed(1)
    assert torch.equal(state, torch.get_rng_state())


def test_fit__fewer_features_than_k():
    features = torch.tensor([[1.0, 2.0], [0.0, 1.0], [1.0, 2.0]])
    with pytest.warns(UserWarning, match="2 distinct features: k is 2, not 5"):
        found = fit_kmeans(features, 5)
    assert found.tolist() == [[0.0, 1.0], [1.0, 2.0]]


def test_fit__fewer_distinct_features_than_k_among_many():
    features = torch.eye(3).repeat(400, 1)
    with pytest.warns(UserWarning, match="3 distinct features"):
        assert len(fit_kmeans(features, 4)) == 3
    assert len(fit_kmeans(features, 3)) == 3


def test_fit__rare_features_get_their_centroid():
    features = torch.cat([torch.zeros(5000, 2), torch.tensor([[1.0, 0.0], [0.0, 1.0]])])
    found = fit_kmeans(features, 3).round(decimals=5)
    assert sorted(found.tolist()) == [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]]


def test_means__empty_cluster_starts_at_the_farthest_feature():
    features = torch.tensor([[0.0], [1.0], [8.0]])
    centroids = torch.tensor([[1.0], [-50.0]])
    assigned = kmeans._assign(features, centroids, torch.zeros(1))
    assert assigned.counts.tolist() == [3, 0]
    found = kmeans._means(features, assigned, torch.zeros(1))
    assert found.tolist() == [[0.5], [8.0]]


def test_assign__chunks_do_not_matter(monkeypatch):
    features = torch.rand(1000, 5, generator=torch.Generator().manual_seed(0))
    whole = kmeans._assign(features, features[:9], torch.zeros(5))
    monkeypatch.setattr(kmeans, "_CHUNK_CPU", 64)
    parts = kmeans._assign(features, features[:9], torch.zeros(5))
    assert torch.equal(whole.cluster, parts.cluster)
    torch.testing.assert_close(whole.sums, parts.sums, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    "features, k, text",
    [
        (torch.zeros(3), 1, "must be"),
        (torch.zeros(0, 2), 1, "N > 0"),
        (torch.zeros(3, 2), 0, "k must be"),
        (torch.full((3, 2), torch.nan), 1, "finite"),
        (torch.zeros(3, 2, dtype=torch.int64), 1, "floating"),
    ],
)
def test_fit__refuses(features, k, text):
    with pytest.raises(ValueError, match=text):
        fit_kmeans(features, k)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_fit__gpu_same_bytes_again_and_as_good_as_cpu():
    features = torch.nn.functional.normalize(torch.randn(200_000, 90), dim=1)
    on_gpu = [fit_kmeans(features.cuda(), 80) for _ in range(2)]
    assert torch.equal(on_gpu[0], on_gpu[1])
    assert inertia(features, on_gpu[0].cpu()) <= 1.01 * inertia(features, fit_kmeans(features, 80))


@pytest.mark.parametrize("number", [{"max_iterations": 0}, {"starts": 0}])
def test_numbers_below_one_are_refused(number):
    with pytest.raises(ValueError, match=f"{next(iter(number))} must be at least 1, got 0"):
        fit_kmeans(torch.rand(8, 2), 2, **number)
