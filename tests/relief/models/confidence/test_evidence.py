import dataclasses

import pytest
import torch

from relief.models.confidence.evidence import Confidence
from tests.contracts.confidence import drawn_evidence


class HalfSure(Confidence):
    def of(self, evidence):
        return torch.full(evidence.semantic.shape, 0.5)


def small():
    evidence = drawn_evidence()
    semantic = torch.tensor([[[0, 1, 1, 2, 2, -1]]])
    observation = dataclasses.replace(evidence.observation, semantic=semantic, depth=None)
    instance = torch.tensor([[0, 1, 1, 2, 0, 0]])
    return dataclasses.replace(evidence, observation=observation, instance=instance)


def test_objects_get_the_mean_over_their_pixels_and_the_rest_keeps_its_own():
    values = torch.tensor([[0.1, 0.2, 0.6, 0.7, 0.8, 0.9]])
    mean = small().over_objects(values)
    assert mean[0].tolist() == pytest.approx([0.1, 0.4, 0.4, 0.7, 0.8, 0.9], abs=1e-5)


def test_painted_numbers_are_those_of_objects_and_things_without_one_are_unsure():
    painted = small().painted(torch.tensor([9.0, 0.3, 0.6]))
    assert painted[0].tolist() == pytest.approx([1, 0.3, 0.3, 0.6, 0, 1])


def test_similarities_are_cosines_and_need_features():
    evidence = drawn_evidence()
    assert evidence.similarities().shape == (4, 6, 10)
    assert evidence.similarities().max() <= 1 + 1e-6
    blind = dataclasses.replace(evidence.observation, features=None)
    with pytest.raises(ValueError, match="similarities needs features"):
        dataclasses.replace(evidence, observation=blind).similarities()


def test_a_part_of_ones_own_is_known_by_its_class_path():
    assert HalfSure().name == f"{__name__}.HalfSure"
    assert dict(HalfSure().sources) == {}
    assert HalfSure().of(drawn_evidence()).unique().tolist() == [0.5]
