import pytest
import torch

from relief.models.segmenters.prediction.size import paste_detections, resize_logits
from relief.schema.errors import ReadError


def found(*boxes):
    return {
        "boxes": torch.tensor(boxes), "classes": torch.arange(len(boxes)),
        "scores": torch.linspace(0.9, 0.8, len(boxes)),
    }  # fmt: skip


def test_masks_lie_in_their_boxes_at_the_size_asked_for():
    probabilities = torch.zeros(2, 28, 28)
    probabilities[0] = 0.8
    probabilities[1, :, :14] = 0.6
    pasted = paste_detections(
        found([2.0, 4.0, 10.0, 8.0], [0.0, 0.0, 8.0, 8.0]), probabilities, (16, 20), (32, 20)
    )
    expected = torch.zeros(2, 32, 20, dtype=torch.bool)
    expected[0, 8:16, 2:10] = True
    expected[1, 0:16, 0:4] = True
    assert torch.equal(pasted["masks"], expected)
    assert pasted["boxes"].tolist() == [[2, 8, 10, 16], [0, 0, 8, 16]]
    assert pasted["classes"].tolist() == [0, 1]


def test_a_box_without_area_is_left_out_and_the_boxes_given_stay():
    given = found([2.0, 4.0, 2.0, 8.0], [0.0, 0.0, 8.0, 8.0])
    pasted = paste_detections(given, torch.ones(2, 28, 28), (16, 16), (8, 8))
    assert pasted["classes"].tolist() == [1]
    assert pasted["masks"].shape == (1, 8, 8)
    assert given["boxes"].tolist() == [[2, 4, 2, 8], [0, 0, 8, 8]]


def test_masks_and_boxes_that_are_not_finite_are_no_missing_objects():
    broken = torch.ones(1, 28, 28)
    broken[0, 3, 3] = torch.nan
    for box, probabilities in ((8.0, broken), (torch.inf, torch.ones(1, 28, 28))):
        with pytest.raises(ReadError, match=r"^outputs are not finite"):
            paste_detections(found([0.0, 0.0, 8.0, box]), probabilities, (16, 16), (8, 8))


def test_nothing_found():
    pasted = paste_detections(
        {"boxes": torch.zeros(0, 4), "classes": torch.zeros(0).long(), "scores": torch.zeros(0)},
        torch.zeros(0, 28, 28), (16, 16), (8, 8),
    )  # fmt: skip
    assert pasted["masks"].shape == (0, 8, 8)
    assert pasted["masks"].dtype == torch.bool


def test_logits_of_their_size_are_left_alone():
    logits = torch.randn(1, 3, 7, 9)
    assert resize_logits(logits, (7, 9)) is logits
    assert resize_logits(logits, (14, 18)).shape == (1, 3, 14, 18)
    flat = resize_logits(torch.full((1, 2, 7, 9), 3.0), (20, 5))
    torch.testing.assert_close(flat, torch.full((1, 2, 20, 5), 3.0))
