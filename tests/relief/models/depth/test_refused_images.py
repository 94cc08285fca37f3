from __future__ import annotations

import pytest
import torch

from relief.models.depth.refused_images import depth_or_refusal
from relief.schema.errors import ReadError


def wide_only(image):
    if image.shape[-1] < 8:
        raise ValueError("too\nnarrow")
    return image[0]


def test_what_the_network_takes_passes():
    image = torch.rand(3, 8, 16)
    assert torch.equal(depth_or_refusal(wide_only, image), image[0])


def test_an_image_that_it_cannot_take_is_refused_in_a_line():
    with pytest.raises(ReadError) as caught:
        depth_or_refusal(wide_only, torch.rand(3, 100, 4))
    assert str(caught.value) == (
        "depth network cannot take the image: 100x4 px (too narrow). "
        "Leave it out, crop it, or use another depth network."
    )


@pytest.mark.parametrize("error", [ValueError("no weights"), RuntimeError("another device")])
def test_a_network_that_takes_no_image_has_a_fault(error):
    def broken(image):
        raise error

    with pytest.raises(type(error), match=str(error)):
        depth_or_refusal(broken, torch.rand(3, 8, 8))


@pytest.mark.parametrize("kind", [KeyError, TypeError, AssertionError])
def test_programming_errors_are_not_blamed_on_the_image(kind):
    def wrong(image):
        if image.shape[-1] < 8:
            raise kind
        return image[0]

    with pytest.raises(kind):
        depth_or_refusal(wrong, torch.rand(3, 8, 4))


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ],
)
def test_a_lack_of_memory_is_not_blamed_on_the_image(error):
    def greedy(image):
        if image.shape[-1] > 224:
            raise error
        return image[0]

    with pytest.raises(type(error)) as caught:
        depth_or_refusal(greedy, torch.rand(3, 8, 400))
    assert caught.value is error
