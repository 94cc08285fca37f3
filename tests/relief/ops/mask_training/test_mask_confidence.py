import numpy as np
import pytest
import torch

from relief.ops.mask_training.mask_confidence import (
    alpha,
    blend,
    mean_confidence,
    roi_targets,
    roi_weights,
    select_confident,
    soft_mask_loss,
)
from tests.relief.ops.cuts.golden import scene

LOSS, PASTE = scene("t", "loss"), scene("t", "paste")


def test_weights_targets_and_loss_are_the_reference():
    weights = roi_weights(LOSS["confidence"], LOSS["masks"], LOSS["boxes"])
    torch.testing.assert_close(weights, LOSS["weights"], atol=1e-5, rtol=0)
    targets = roi_targets(LOSS["masks"], LOSS["boxes"])
    assert torch.equal(targets, LOSS["targets"])
    loss = soft_mask_loss(LOSS["logits"], targets, weights)
    assert float(loss) == pytest.approx(float(LOSS["value"]), abs=1e-5)
    plain = soft_mask_loss(LOSS["logits"], targets, torch.ones_like(weights))
    assert float(plain) == pytest.approx(float(LOSS["value_unweighted"]), abs=1e-5)
    by_weight = soft_mask_loss(LOSS["logits"], targets, weights, "weights")
    share = float(weights.mean())
    assert float(by_weight) == pytest.approx(float(LOSS["value"]) / share, abs=1e-4)


def test_confidence_weighs_inside_and_the_outside_has_its_own_weight():
    mask = torch.zeros(1, 40, 40, dtype=torch.bool)
    mask[0, 10:30, 10:30] = True
    confidence = torch.where(mask, 0.2, 0.0)
    box = torch.tensor([[0.0, 0.0, 40.0, 40.0]])
    for floor, outside in ((0.5, 1.0), (0.0, 0.0), (0.3, 0.7)):
        weights = roi_weights(confidence, mask, box, 20, floor, outside)[0]
        assert float(weights[10, 10]) == pytest.approx(max(floor, 0.2))
        assert float(weights[1, 1]) == pytest.approx(outside)


def test_no_gradient_enters_the_weights_and_nothing_is_nothing():
    confidence = LOSS["confidence"].clone().requires_grad_()
    assert not roi_weights(confidence, LOSS["masks"], LOSS["boxes"]).requires_grad
    logits = torch.zeros(0, 28, 28, requires_grad=True)
    loss = soft_mask_loss(logits, torch.zeros(0, 28, 28), torch.zeros(0, 28, 28))
    loss.backward()
    assert float(loss) == 0
    weights = torch.ones(1, 2, 2, requires_grad=True)
    soft_mask_loss(
        torch.zeros(1, 2, 2, requires_grad=True), torch.ones(1, 2, 2), weights
    ).backward()
    assert weights.grad is None
    none = torch.zeros(0, 8, 8)
    assert roi_weights(none, none.bool(), torch.zeros(0, 4)).shape == (0, 28, 28)
    assert alpha(none.bool(), none).shape == (8, 8)
    assert not alpha(none.bool(), none).any()


def test_a_cell_that_is_half_covered_is_a_target():
    mask = torch.zeros(1, 40, 40, dtype=torch.bool)
    mask[:, :, :20] = True
    box = torch.tensor([[0.0, 0.0, 40.0, 40.0]])
    assert roi_targets(mask, box, 1).tolist() == [[[True]]]
    mask[:, :4, 19] = False
    assert roi_targets(mask, box, 1).tolist() == [[[False]]]


def test_blending_is_the_reference():
    masks, confidence = LOSS["masks"], LOSS["confidence"]
    torch.testing.assert_close(alpha(masks, confidence), PASTE["alpha"], atol=1e-6, rtol=0)
    mixed = blend(PASTE["source"], PASTE["target"], masks, confidence)
    assert mixed.dtype == torch.uint8
    assert int((mixed.int() - PASTE["image"].int()).abs().max()) <= 1
    outside = ~masks.any(0)
    assert torch.equal(mixed[:, outside], PASTE["target"][:, outside])


def test_selection_is_the_reference_and_breaks_ties_by_index():
    scores = mean_confidence(LOSS["masks"], LOSS["confidence"])
    torch.testing.assert_close(scores, PASTE["mean_confidence"], atol=1e-6, rtol=0)
    assert torch.equal(select_confident(scores), PASTE["selected_half"])
    assert select_confident(torch.tensor([0.5, 0.9, 0.5])).tolist() == [0, 1]
    assert select_confident(torch.tensor([0.1]), 0.5).tolist() == [0]
    assert select_confident(torch.zeros(0)).tolist() == []
    np.testing.assert_array_equal(select_confident(torch.arange(5.0), 0.4), [3, 4])
