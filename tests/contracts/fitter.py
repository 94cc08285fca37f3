"""What every fitter of a codebook must do; its test inherits this class and makes `fitter`."""

import json
from typing import Any

import torch

from relief.schema.parts import KMeansFitter
from tests.fake_cuda import FakeCuda

K, DIM = 4, 6


def drawn_blobs() -> torch.Tensor:
    """(K * 500, DIM) features around K far places, one after the other."""
    noise = torch.rand(K, 500, DIM, generator=torch.Generator().manual_seed(0))
    return (10 * torch.eye(DIM)[:K, None] + noise).flatten(0, 1)


class FitterContract:
    """Features become at most k raw means, the same each time."""

    def fitter(self, k: int) -> Any:
        """Makes the part."""
        raise NotImplementedError

    def test_separated_blobs_have_their_means_each_time(self):
        features = drawn_blobs()
        before, fitter = features.clone(), self.fitter(K)
        assert isinstance(fitter, KMeansFitter)
        centroids = fitter.fit(features)
        assert (centroids.shape, centroids.dtype) == ((K, DIM), torch.float32)
        assert torch.equal(features, before)
        means = features.view(K, 500, DIM).mean(dim=1)
        nearest = centroids[torch.cdist(means, centroids).argmin(dim=1)]
        torch.testing.assert_close(nearest, means, rtol=0, atol=0.05)
        assert torch.equal(centroids, self.fitter(K).fit(features))

    def test_it_describes_all_of_its_numbers(self):
        description = self.fitter(7).description
        assert json.loads(json.dumps(description)) == description
        assert description["k"] == 7
        assert isinstance(description["fitter"], str)

    def test_centroids_are_where_the_features_are(self):
        expected = self.fitter(K).fit(drawn_blobs())
        with FakeCuda():
            centroids = self.fitter(K).fit(drawn_blobs().cuda())
            assert centroids.is_cuda
            torch.testing.assert_close(centroids.cpu().sort(dim=0), expected.sort(dim=0))
