import torch

from relief.models.segmenters.mask_queries import Queries, places_of, values_at


def discs(offsets):
    """Queries of one image of 24 x 32 whose masks are discs around four anchors."""
    kernels = torch.zeros(1, 4, 2 + 4)
    kernels[..., 4], kernels[0, :, -1] = 3.0, torch.tensor(offsets)
    anchors = places_of((2, 2), kernels).flatten(0, 1)
    return Queries(torch.zeros(1, 4, 3), kernels, anchors, torch.zeros(1, 2, 24, 32))


def test_a_query_moves_with_its_cell():
    queries = discs([1.0, 2.0, 3.0, 4.0])
    found = queries.mask_logits(0, torch.zeros(2, 4), queries.anchors)
    assert torch.equal(found.diagonal(), torch.tensor([1.0, 2, 3, 4]))
    chosen = queries.mask_logits(0, torch.zeros(2, 4), queries.anchors, torch.tensor([2]))
    assert torch.allclose(chosen, found[2:3])


def test_distances_are_the_same_along_both_sides_of_an_image():
    pixels = torch.zeros(2, 24 * 32)
    first = discs([4.0] * 4).mask_logits(0, pixels, places_of((24, 32), pixels).flatten(0, 1))[0]
    inside = (first > 0).view(24, 32)
    assert inside.any(dim=1).sum() == inside.any(dim=0).sum() > 3


def test_values_are_those_of_the_pixels_at_their_middles():
    maps = torch.arange(2 * 3 * 4.0).view(2, 3, 4)
    found = values_at(maps, places_of((3, 4), maps).flatten(0, 1))
    torch.testing.assert_close(found, maps.flatten(1))
