import dataclasses

import pytest
import torch

from relief.models.confidence.upper_edge import UpperEdge
from relief.schema.errors import UsageError
from relief.schema.observation import Observation
from tests.contracts.confidence import ConfidenceContract, drawn_evidence


def test_what_stands_in_front_is_sure_and_what_lies_flat_is_not():
    depth = torch.full((1, 1, 16, 32), 0.8)
    depth[:, :, 8:, :8] = 0.2
    semantic = torch.full((1, 16, 32), 0)
    semantic[:, 8:, :8] = semantic[:, 8:, 20:] = 1
    instance = torch.zeros(16, 32, dtype=torch.int64)
    instance[8:, :8], instance[8:, 20:] = 1, 2
    seen = Observation(semantic=semantic, things=torch.tensor([False, True]), depth=depth)
    evidence = dataclasses.replace(drawn_evidence(), observation=seen, instance=instance)
    sure = UpperEdge().of(evidence)
    assert sure[12, [4, 24, 15]].tolist() == [1, 0, 1]
    blind = dataclasses.replace(seen, depth=None)
    with pytest.raises(ValueError, match="UpperEdge needs depth"):
        UpperEdge().of(dataclasses.replace(evidence, observation=blind))
    with pytest.raises(UsageError, match="outside_px=0"):
        UpperEdge(outside_px=0)


class TestUpperEdge(ConfidenceContract):
    def confidence(self):
        return UpperEdge()
