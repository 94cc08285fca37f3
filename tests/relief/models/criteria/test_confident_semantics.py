import pytest
import torch

from relief.models.criteria.confident_semantics import ConfidentSemantics
from relief.models.criteria.own_losses import OwnLosses
from relief.models.segmenters.deeplab import DeepLabV2
from relief.models.segmenters.semantic_bodies import SmallBody
from relief.schema.errors import UsageError
from tests.contracts.network import drawn_batch


def network():
    torch.manual_seed(0)
    return DeepLabV2(2, 3, SmallBody((4, 6, 8)), dilations=(1, 2)).eval()


def test_labels_that_are_all_sure_give_the_loss_of_the_network():
    batch = drawn_batch()
    expected = OwnLosses()(network(), batch, None)["loss_semantic"]
    sure = {**batch, "confidence": torch.ones(batch["semantic"].shape)}
    loss = ConfidentSemantics()(network(), sure, None)["loss_semantic"]
    torch.testing.assert_close(loss, expected)
    half = {**batch, "confidence": torch.full(batch["semantic"].shape, 0.5)}
    torch.testing.assert_close(
        ConfidentSemantics()(network(), half, None)["loss_semantic"], expected / 2
    )


def test_pixels_of_no_confidence_teach_nothing():
    batch = drawn_batch()
    unsure = {**batch, "confidence": torch.zeros(batch["semantic"].shape)}
    net = network()
    ConfidentSemantics()(net, unsure, None)["loss_semantic"].backward()
    assert all(not p.grad.any() for p in net.parameters() if p.grad is not None)
    with pytest.raises(UsageError, match=r"^the training asks how sure labels are"):
        ConfidentSemantics()(net, batch, None)
