import pytest
import torch

from relief.models.segmenters.boundary_network import BoundaryNetwork
from relief.models.segmenters.encoders import SmallEncoder
from relief.schema.errors import ReadError, UsageError
from tests.contracts.network import NUM_REGIONS, NUM_THINGS, SIZE, NetworkContract, drawn_batch
from tests.relief.models.segmenters.test_guided_pyramid import Patches


def small(**settings):
    return BoundaryNetwork(
        NUM_THINGS, NUM_REGIONS, Patches(), encoder=SmallEncoder((8, 16)), widths=(8,),
        guide_width=8, **settings,
    )  # fmt: skip


class TestBoundaryNetwork(NetworkContract):
    def network(self):
        return small()


def told(network, names, edges):
    """Lets the network see classes (h, w) and boundaries (h, w) in an image and mirrored."""
    logits = 8.0 * torch.nn.functional.one_hot(names, 1 + NUM_REGIONS).permute(2, 0, 1).float()
    seen = [(logits, torch.where(edges, 4.0, -4.0)[None])]
    seen.append(tuple(values.flip(-1) for values in seen[0]))
    turn = iter(range(100))
    network.see = lambda image: tuple(
        v[None].repeat(len(image), 1, 1, 1) for v in seen[next(turn) % 2]
    )
    return network


def test_boundaries_part_one_region_and_the_majority_names_the_parts():
    names = torch.ones(24, 32, dtype=torch.int64)  # stuff
    names[4:20, 4:28] = 2  # a thing, ...
    names[4:20, 5:9] = 3  # ... a little of it seen as the other one
    names[4:20, 16:28] = 3
    edges = torch.zeros(24, 32, dtype=torch.bool)
    edges[:, 15] = True
    (found,) = told(small(), names, edges).predict(torch.rand(1, 3, *SIZE))["detections"]
    # The larger part takes what is within its reach beyond the boundary, two pixels of the map.
    assert sorted(found["boxes"].tolist()) == [[8, 8, 28, 40], [28, 8, 56, 40]]
    by_left = dict(zip(found["boxes"][:, 0].tolist(), found["classes"].tolist(), strict=True))
    assert by_left == {8: 0, 28: 1}
    assert (found["scores"] > 0.9).all()
    assert found["masks"].sum() == 16 * 24 * 4


def test_things_win_where_all_of_them_are_likelier_than_all_stuff():
    network = small()
    shares = torch.tensor([0.0, 0.45, 0.3, 0.25]).view(1, 4, 1, 1)
    assert network._decided(shares.clone()).argmax() == 2
    shares = torch.tensor([0.0, 0.55, 0.3, 0.15]).view(1, 4, 1, 1)
    decided = network._decided(shares.clone()).flatten()
    assert decided.argmax() == 1
    assert decided[2] > decided[3]


def test_small_parts_are_no_objects():
    names = torch.ones(24, 32, dtype=torch.int64)
    names[2:8, 2:8] = 2
    edges = torch.zeros(24, 32, dtype=torch.bool)
    (found,) = told(small(min_area_px=37), names, edges).predict(torch.rand(1, 3, *SIZE))[
        "detections"
    ]
    assert len(found["scores"]) == 0
    (found,) = told(small(min_area_px=36), names, edges).predict(torch.rand(1, 3, *SIZE))[
        "detections"
    ]
    assert found["boxes"].tolist() == [[4, 4, 16, 16]]


def test_boundaries_are_learned_inside_objects_only():
    network, batch = small().train(), drawn_batch()
    batch["instance"].zero_()
    assert network(batch, None)["loss_boundary"] == 0


def test_values_that_are_not_finite_are_refused():
    network = small()
    network.boundaries.weight.data.fill_(float("nan"))
    with pytest.raises(ReadError, match="not finite"):
        network.predict(torch.rand(1, 3, *SIZE))


def test_pixels_count_as_far_as_labels_are_sure_of_them():
    network, batch = small(by_confidence=True).eval(), drawn_batch()
    plain = small().eval()
    plain.load_state_dict(network.state_dict())
    wanted = {name: loss.item() for name, loss in plain(batch, None).items()}
    alike = batch | {"confidence": torch.full(batch["semantic"].shape, 0.5)}
    assert {n: loss.item() for n, loss in network(alike, None).items()} == pytest.approx(wanted)
    left = torch.zeros(batch["semantic"].shape)
    left[..., : SIZE[1] // 2] = 1
    half = {name: loss.item() for name, loss in network(batch | {"confidence": left}, None).items()}
    void = batch | {"semantic": batch["semantic"].clone()}
    void["semantic"][..., SIZE[1] // 2 :] = -1
    assert half["loss_semantic"] == pytest.approx(plain(void, None)["loss_semantic"].item())
    assert half["loss_boundary"] != pytest.approx(wanted["loss_boundary"])
    with pytest.raises(UsageError, match="asks how sure labels are"):
        network(batch, None)


def test_names_are_told_at_the_size_of_the_image_with_gradients():
    network = small()
    image = torch.rand(2, 3, *SIZE)
    logits = network.logits(image)
    assert logits.shape == (2, 1 + NUM_REGIONS, *SIZE)
    logits.sum().backward()
    assert network.fine_names.weight.grad.abs().sum() > 0
    assert network.boundaries.weight.grad is None
