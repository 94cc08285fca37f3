from __future__ import annotations

import pytest
import torch

from relief.models.segmenters.deeplab import DeepLabV2, DeepLabV3, DeepLabV3Plus
from relief.models.segmenters.semantic_bodies import SmallBody
from tests.contracts.network import NUM_REGIONS, NUM_THINGS, NetworkContract, drawn_batch


def body():
    return SmallBody(widths=(4, 8, 8))


class TestDeepLabV2(NetworkContract):
    def network(self):
        torch.manual_seed(0)
        return DeepLabV2(NUM_THINGS, NUM_REGIONS, body(), dilations=(1, 2))


class TestDeepLabV3(NetworkContract):
    def network(self):
        torch.manual_seed(0)
        return DeepLabV3(NUM_THINGS, NUM_REGIONS, body(), dilations=(1, 2, 3), width=8)


class TestDeepLabV3Plus(NetworkContract):
    def network(self):
        torch.manual_seed(0)
        return DeepLabV3Plus(
            NUM_THINGS, NUM_REGIONS, body(), dilations=(1, 2, 3), width=8, low_width=4
        )


def test_the_branches_of_version_2_are_summed():
    network = DeepLabV2(NUM_THINGS, NUM_REGIONS, body(), dilations=(1, 2, 3, 4))
    high = torch.randn(1, 8, 6, 8)
    expected = torch.stack([branch(high) for branch in network.branches]).sum(dim=0)
    torch.testing.assert_close(network.head_logits(high, high), expected)
    assert [branch.dilation for branch in network.branches] == [(d, d) for d in (1, 2, 3, 4)]
    assert all(branch.bias is not None for branch in network.branches)


@pytest.mark.parametrize("ignored", [0, 2])
def test_ignored_pixels_count_as_0_in_the_mean_over_all(ignored):
    network = TestDeepLabV2().network().eval()
    batch = drawn_batch()
    batch["semantic"] = torch.full_like(batch["semantic"], 1)
    batch["semantic"].view(-1)[: batch["semantic"].numel() * ignored // 4] = -1
    logits = network.logits(batch["image"]).log_softmax(dim=1)[:, 1]
    expected = -(logits * (batch["semantic"] == 1)).mean()
    torch.testing.assert_close(network(batch, None)["loss_semantic"], expected)
