import pytest
import torch

from relief.models.segmenters.encoders import SmallEncoder
from relief.models.segmenters.mask_decoder import MaskDecoder
from relief.models.segmenters.mask_queries import Queries
from relief.schema.errors import ReadError
from tests.contracts.network import (
    NUM_REGIONS,
    NUM_THINGS,
    NetworkContract,
    drawn_batch,
    moment,
)
from tests.relief.models.segmenters.test_guided_pyramid import Patches


def small(**settings):
    return MaskDecoder(
        NUM_THINGS, NUM_REGIONS, Patches(), encoder=SmallEncoder((8, 16, 16)), widths=(16, 8),
        guide_width=8, mask_width=4, points=256, **settings,
    )  # fmt: skip


class TestMaskDecoder(NetworkContract):
    def network(self):
        return small(score_threshold=0.0)


def test_objects_of_an_image_are_learned():
    torch.manual_seed(0)
    network, batch = small().train(), drawn_batch()
    # Colours tell the two objects from the rest.
    batch["image"][0, 0] = (batch["instance"][0] > 0) * 0.5 + 0.2 * batch["image"][0, 0]
    optimizer = torch.optim.AdamW(network.parameters(), 0.01)
    for _ in range(120):
        optimizer.zero_grad()
        sum(network(batch, moment(network)).values()).backward()
        optimizer.step()
    first, second = network.predict(batch["image"])["detections"]
    assert len(second["scores"]) == 0
    assert sorted(first["classes"].tolist()) == [0, 1]
    for mask, thing in zip(first["masks"], first["classes"].tolist(), strict=True):
        true = batch["instance"][0] == (1 if thing == 1 else 2)
        assert (mask & true).sum() > 0.7 * (mask | true).sum()


def told(class_logits, offsets):
    """Queries whose masks are discs around four anchors."""
    anchors = torch.tensor([[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]])
    kernels = torch.zeros(1, 4, 2 + 4)
    kernels[..., 4], kernels[0, :, -1] = 3.0, torch.tensor(offsets)
    return Queries(torch.tensor([class_logits]), kernels, anchors, torch.zeros(1, 2, 24, 32))


def test_a_pixel_has_one_object_and_what_others_cover_is_none():
    class_logits = [[9.0, 0, 0], [0, 9, 0], [0, 0, 9], [3, 0, 0]]
    network, queries = small(), told(class_logits, [4.0, 4.0, 4.0, 4.0])
    queries.anchors[3] = queries.anchors[0]  # less sure, in the same place
    network.see = lambda image: (torch.zeros(1, 1 + NUM_REGIONS, 24, 32), queries)
    (found,) = network.predict(torch.rand(1, 3, 48, 64))["detections"]
    assert sorted(found["classes"].tolist()) == [0, 1]  # the third is sure to be no object
    assert (found["masks"].sum(dim=0) <= 1).all()
    for mask, thing in zip(found["masks"], found["classes"].tolist(), strict=True):
        rows, columns = mask.nonzero(as_tuple=True)
        assert abs(float(rows.float().mean()) - 11.5) < 1
        assert abs(float(columns.float().mean()) - (15.5 if thing == 0 else 47.5)) < 1


def test_more_objects_than_cells_are_survived():
    network, batch = small(), drawn_batch()
    instance = torch.arange(1, 1 + 12 * 16).view(12, 16)
    batch["instance"][0] = instance.repeat_interleave(4, 0).repeat_interleave(4, 1)
    batch["classes"][0] = torch.zeros(12 * 16, dtype=torch.int64)
    losses = network(batch, moment(network))
    assert all(torch.isfinite(value) for value in losses.values())


def test_values_that_are_not_finite_are_refused():
    network = small()
    network.regions.bias.data.fill_(float("nan"))
    with pytest.raises(ReadError, match="not finite"):
        network.predict(drawn_batch()["image"])
