import dataclasses

import pytest
import torch

from relief.models.confidence.thing_evidence import ThingEvidence, thing_shares
from relief.schema.errors import UsageError
from tests.contracts.confidence import ConfidenceContract, drawn_codebook, drawn_evidence
from tests.contracts.splitter import THINGS


def test_without_any_sharpness_all_clusters_weigh_alike():
    evidence = drawn_evidence()
    sure = ThingEvidence(sharpness=0).of(evidence)
    mean = (0.1 + 0.9 + 0.6 + 0.2) / 4
    torch.testing.assert_close(sure, torch.where(evidence.is_thing, mean, 1 - mean))


def test_sharply_the_nearest_cluster_alone_decides():
    evidence = drawn_evidence()
    features = evidence.codebook.centroids[1][None, :, None, None]
    seen = dataclasses.replace(evidence.observation, features=features)
    sure = ThingEvidence(sharpness=1e4).of(dataclasses.replace(evidence, observation=seen))
    torch.testing.assert_close(sure, torch.where(evidence.is_thing, 0.9, 0.1), atol=1e-4, rtol=0)


def test_an_object_has_one_number():
    evidence = drawn_evidence()
    sure = ThingEvidence().of(evidence)
    for number in range(1, int(evidence.instance.max()) + 1):
        assert len(sure[evidence.instance == number].unique()) == 1


def test_shares_of_other_categories_are_left_aside():
    codebook = drawn_codebook()
    assert thing_shares(codebook).tolist() == pytest.approx([0.1, 0.9, 0.6, 0.2])
    codebook.metadata = {"things": {"thing_shares": [0.5] * 9}}
    assert torch.equal(thing_shares(codebook), THINGS.float())
    codebook.metadata = {}
    assert torch.equal(thing_shares(codebook), THINGS.float())
    with pytest.raises(UsageError, match="sharpness=-1"):
        ThingEvidence(-1)


class TestThingEvidence(ConfidenceContract):
    def confidence(self):
        return ThingEvidence()
