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
