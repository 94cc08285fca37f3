import dataclasses

import pytest
import torch

from relief.models.confidence.splitter_says import SplitterSays
from relief.schema.errors import UsageError
from relief.schema.observation import Split
from tests.contracts.confidence import ConfidenceContract, drawn_evidence


def test_what_the_splitter_says_is_handed_on():
    evidence = drawn_evidence()
    assert torch.equal(SplitterSays().of(evidence), evidence.split.confidence[0])
    silent = dataclasses.replace(evidence, split=Split(evidence.split.instance))
    with pytest.raises(UsageError, match=r"^the splitter does not say how sure it is"):
        SplitterSays().of(silent)


class TestSplitterSays(ConfidenceContract):
    def confidence(self):
        return SplitterSays()
