import pytest
import torch

from relief.ops.self_training.confident_loss import confident_focal_loss
from tests.relief.ops.thesis_golden import golden


@pytest.mark.parametrize(
    "name, confident, power",
    [
        ("own_confidence", True, 3.0),
        ("own_confidence_power0", True, 0.0),
        ("no_confidence", False, 3.0),
    ],
)
def test_value_and_gradient_are_the_paper(name, confident, power):
    logits = golden("focal/logits").double().requires_grad_()
    confidence = golden("focal/confidence").double() if confident else None
    prior = golden("focal/prior").double()
    loss = confident_focal_loss(logits, golden("focal/labels"), confidence, prior, power)
    loss.backward()
    assert loss.item() == pytest.approx(float(golden(f"focal/{name}")), rel=1e-6)
    torch.testing.assert_close(
        logits.grad.float(), golden(f"focal/grad_{name}"), atol=1e-5, rtol=1e-4
    )


def test_a_pixel_has_the_confidence_of_its_own_image():
    """The published code weighs every pixel by the mean of the batch at its place."""
    given = [golden(f"focal/{name}") for name in ("logits", "labels", "confidence")]
    prior = golden("focal/prior")
    together = confident_focal_loss(*given, prior)
    alone = [confident_focal_loss(*(one[i : i + 1] for one in given), prior) for i in (0, 1)]
    assert together.item() == pytest.approx((alone[0] + alone[1]).item() / 2, rel=1e-5)
    assert alone[0].item() == pytest.approx(float(golden("focal/published_image0")), rel=1e-4)
    assert together.item() != pytest.approx(float(golden("focal/published_batch")), rel=1e-3)


def test_ignored_pixels_count_as_nothing():
    logits = torch.randn(1, 3, 2, 2, requires_grad=True)
    loss = confident_focal_loss(logits, torch.full((1, 2, 2), -1), None, torch.zeros(3))
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()
