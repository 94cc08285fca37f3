import pytest
import torch

from relief.models.backbones.cause_tokens import CauseTokens
from relief.models.backbones.cause_tr import CauseTR
from tests.contracts.backbone import BackboneContract

WEIGHTS = "relief/samples/weights/cause_tr_sample.safetensors"


class TestCauseTokens(BackboneContract):
    @pytest.fixture
    def backbone(self):
        return CauseTokens(WEIGHTS)


def test_they_are_what_the_head_looks_at():
    tokens, whole = CauseTokens(WEIGHTS, mirrored=False), CauseTR(WEIGHTS, mirrored=False)
    tokens.setup()
    whole.setup()
    image = torch.rand(1, 3, 42, 28, generator=torch.manual_seed(0))
    with torch.no_grad():
        found = tokens(image)
        features = whole.head(found.flatten(2).transpose(1, 2), (3, 2))
        torch.testing.assert_close(features, whole(image))
    assert found.shape[1] == tokens.dim == 128
