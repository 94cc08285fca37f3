import dataclasses

import torch
import torch.nn.functional as F

from relief.models.codebooks.codebook import Codebook
from relief.models.confidence.second_cluster import SecondCluster
from tests.contracts.confidence import ConfidenceContract, drawn_evidence


def test_halfway_between_two_clusters_nothing_is_sure_and_at_one_all_is():
    evidence = drawn_evidence()
    first, second = evidence.codebook.unit_centroids[:2]
    between = F.normalize(first + second, dim=0)
    codebook = Codebook()
    codebook.set_centroids(torch.stack((first, second)))
    features = torch.stack([first, between], dim=1)[None, :, None]
    seen = dataclasses.replace(evidence.observation, features=features)
    at = dataclasses.replace(evidence, observation=seen, codebook=codebook)
    sure = SecondCluster().of(at)
    torch.testing.assert_close(sure[:, 0], torch.ones(len(sure)))
    torch.testing.assert_close(sure[:, -1], torch.zeros(len(sure)), atol=1e-3, rtol=0)
    codebook.set_centroids(first[None])
    torch.testing.assert_close(SecondCluster().of(at), torch.ones(sure.shape))


class TestSecondCluster(ConfidenceContract):
    def confidence(self):
        return SecondCluster()
