import json

import torch

from relief.models.codebook_fitters.lloyd import LloydKMeans
from relief.ops.kmeans import fit_kmeans
from tests.contracts.fitter import FitterContract


def test_fit__is_fit_kmeans_with_its_numbers():
    features = torch.rand(400, 3, generator=torch.Generator().manual_seed(0))
    fitter = LloydKMeans(7, seed=3, starts=2, max_iterations=5)
    expected = fit_kmeans(features, 7, seed=3, starts=2, max_iterations=5)
    assert torch.equal(fitter.fit(features), expected)


def test_description__names_every_number():
    description = LloydKMeans(7, seed=3).description
    assert json.loads(json.dumps(description)) == {
        "fitter": "lloyd",
        "k": 7,
        "seed": 3,
        "starts": 3,
        "max_iterations": 100,
    }


class TestLloydKMeans(FitterContract):
    def fitter(self, k):
        return LloydKMeans(k)


def test_few_features_make_fewer_clusters(caplog):
    features = torch.rand(400, 3, generator=torch.Generator().manual_seed(0))
    fitter = LloydKMeans(7, features_per_cluster=100)
    with caplog.at_level("INFO", logger="relief"):
        assert torch.equal(fitter.fit(features), fit_kmeans(features, 4))
    assert caplog.messages == [
        "4 clusters in place of 7: the images give 400 features, 100 for each cluster"
    ]
    assert fitter.description["features_per_cluster"] == 100
    assert len(LloydKMeans(7, features_per_cluster=50).fit(features)) == 7
    assert len(LloydKMeans(7, features_per_cluster=1000).fit(features)) == 2
