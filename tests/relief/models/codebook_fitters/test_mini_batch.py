import json

import pytest
import torch

from relief.models.codebook_fitters.mini_batch import MiniBatchKMeans
from tests.contracts.fitter import FitterContract


class TestMiniBatchKMeans(FitterContract):
    def fitter(self, k):
        return MiniBatchKMeans(k)


def test_fit__fewer_features_than_k():
    with pytest.warns(UserWarning, match="2 distinct features"):
        found = MiniBatchKMeans(3).fit(torch.tensor([[2.0], [1.0], [2.0]]))
    assert found.tolist() == [[1.0], [2.0]]


def test_description__published_numbers():
    assert json.loads(json.dumps(MiniBatchKMeans(80).description)) == {
        "fitter": "mini_batch",
        "k": 80,
        "batch_size": 10000,
        "max_iterations": 300,
        "starts": 3,
        "seed": 42,
    }
