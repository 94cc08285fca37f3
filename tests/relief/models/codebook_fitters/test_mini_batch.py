import json

import pytest
import torch

from relief.models.codebook_fitters.mini_batch import MiniBatchKMeans
from relief.schema.parts import KMeansFitter


def test_fit__finds_separated_blobs_and_repeats_itself():
    noise = torch.rand(4, 500, 6, generator=torch.Generator().manual_seed(0))
    blobs = 10 * torch.eye(6)[:4, None] + noise
    features = blobs.flatten(0, 1)
    fitter = MiniBatchKMeans(4)
    assert isinstance(fitter, KMeansFitter)
    found = fitter.fit(features)
    assert found.dtype == torch.float32
    means = blobs.mean(dim=1)
    nearest = found[torch.cdist(means, found).argmin(dim=1)]
    torch.testing.assert_close(nearest, means, rtol=0, atol=0.05)
    assert torch.equal(found, fitter.fit(features))


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
