import torch
from detectron2.layers.mask_ops import paste_masks_in_image

from relief.ops.objects import mask_paste
from relief.ops.objects.mask_paste import paste_masks

SIZE = (41, 63)


def drawn(number=40, side=28):
    """Masks over boxes of all sizes, some of which reach out of the image."""
    generator = torch.Generator().manual_seed(4)
    centre = torch.rand(number, 2, generator=generator) * torch.tensor((63.0, 41.0))
    half = torch.rand(number, 2, generator=generator) * 20 + 0.2
    boxes = torch.cat((centre - half, centre + half), dim=1)
    return torch.rand(number, side, side, generator=generator), boxes


def test_a_mask_fills_its_box_up_to_the_centres_of_its_pixels():
    boxes = torch.tensor([[2.0, 1.0, 6.0, 3.0], [0.6, 0.0, 2.4, 1.0]])
    pasted = paste_masks(torch.ones(2, 4, 4), boxes, (4, 8))
    expected = torch.zeros(2, 4, 8, dtype=torch.bool)
    expected[0, 1:3, 2:6] = expected[1, 0, 1:2] = True
    assert torch.equal(pasted, expected)


def test_masks_are_those_of_detectron2_to_the_last_pixel():
    probabilities, boxes = drawn()
    expected = paste_masks_in_image(probabilities, boxes, SIZE)
    assert torch.equal(paste_masks(probabilities, boxes, SIZE), expected)
    assert 0.05 < expected.float().mean() < 0.5


def test_masks_that_are_sampled_together_are_the_same(monkeypatch):
    probabilities, boxes = drawn()
    one_by_one = paste_masks(probabilities, boxes, SIZE)
    whole = slice(0, SIZE[0]), slice(0, SIZE[1])
    assert torch.equal(mask_paste._sample(probabilities, boxes, *whole), one_by_one)


def test_a_box_outside_the_image_and_no_box_at_all_give_nothing():
    outside = torch.tensor([[70.0, 2, 90, 9], [-30, -9, -4, -2], [3, 60, 9, 70]])
    assert not paste_masks(torch.ones(3, 28, 28), outside, SIZE).any()
    assert paste_masks(torch.ones(0, 28, 28), torch.zeros(0, 4), SIZE).shape == (0, *SIZE)
