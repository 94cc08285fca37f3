import dataclasses

import torch

from relief.models.confidence.nearest_cluster import NearestCluster
from tests.contracts.confidence import ConfidenceContract, drawn_evidence


def test_features_at_a_centroid_are_sure_and_opposite_ones_are_not():
    evidence = drawn_evidence()
    features = torch.stack([evidence.codebook.centroids[0], -torch.ones(5)], dim=1)[None, :, None]
    seen = dataclasses.replace(evidence.observation, features=features)
    sure = NearestCluster().of(dataclasses.replace(evidence, observation=seen))
    torch.testing.assert_close(sure[:, 0], torch.ones(len(sure)))
    assert not sure[:, -1].any()


class TestNearestCluster(ConfidenceContract):
    def confidence(self):
        return NearestCluster()
