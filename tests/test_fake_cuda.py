import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.fake_cuda import FakeCuda, on


@pytest.fixture
def device():
    with FakeCuda() as device:
        yield device


def test_tensors_say_where_they_are_and_hold_what_was_computed(device):
    values = torch.arange(6.0).view(2, 3)
    sent = values.to("cuda")
    assert str(sent.device) == "cuda:0"
    assert sent.is_cuda
    assert not sent.is_meta
    for made in (
        torch.zeros(3, device="cuda"), torch.tensor([1, 2], device=sent.device),
        torch.as_tensor([1.0], device="cuda:0"), sent.new_tensor([1]), sent.new_zeros(2),
        torch.ones(2).to(sent), torch.ones(2).cuda(), torch.empty_like(sent), sent[0], sent.T,
    ):  # fmt: skip
        assert made.is_cuda
    assert torch.equal((sent * 2)[:, [0, 2]].cpu(), (values * 2)[:, [0, 2]])
    assert torch.equal(on("cpu", {"a": [sent]})["a"][0], values)
    assert not sent.cpu().is_cuda


def test_what_a_device_refuses_is_refused(device):
    sent, stays = torch.ones(3, device="cuda"), torch.ones(3)
    for mixed in (
        lambda: sent + stays, lambda: stays.add_(sent), lambda: torch.cat((sent, stays)),
        lambda: stays[sent > 0], lambda: nn.Linear(3, 1)(sent),
        lambda: sent.scatter(0, stays.long(), sent),
    ):  # fmt: skip
        with pytest.raises(RuntimeError, match=r"two devices meet in .* at tests/test_fake_cuda"):
            mixed()
    with pytest.raises(RuntimeError, match="generator of the CPU"):
        torch.rand(2, device="cuda", generator=torch.Generator())
    for converted in (sent.numpy, lambda: np.asarray(sent)):
        with pytest.raises(TypeError, match="to numpy"):
            converted()
    assert (sent + torch.tensor(1.0)).is_cuda  # one number of the CPU may join
    sent[torch.tensor([0, 1])] = 5.0  # indices of the CPU may, too
    assert sent.tolist() == [5, 5, 1]


@pytest.mark.parametrize(
    ("waits", "work"),
    [
        (0, lambda x: x.sum() * 2 + x.max()),
        (0, lambda x: torch.where(x > 1, x, 0).cumsum(0)),
        (0, lambda x: x.masked_fill_(x > 1, 3.0)),
        (0, lambda x: x.__setitem__(x > 1, 3.0)),
        (0, lambda x: x.to("cpu", non_blocking=True)),
        (1, lambda x: x.cpu()),
        (1, lambda x: x.sum().item()),
        (1, lambda x: bool((x > 1).any())),
        (1, lambda x: x.tolist()),
        (1, lambda x: x[x > 1]),
        (1, lambda x: torch.nonzero(x)),
        (1, lambda x: x.unique()),
        (1, lambda x: torch.zeros(3).copy_(x)),
        (2, lambda x: torch.equal(x, x) and int(x[0])),
    ],
)
def test_the_host_waits_where_it_needs_to_know(device, waits, work):
    work(torch.arange(3.0).to("cuda"))
    assert device.waits.total() == waits
    assert device.copies.total() == 1
    assert all(line.startswith("tests/test_fake_cuda.py:") for line in device.waits)


def test_a_network_learns_as_on_the_cpu():
    torch.manual_seed(0)
    images, labels = torch.rand(2, 3, 8, 8), torch.randint(2, (2, 8, 8))

    def learned(device):
        torch.manual_seed(1)
        network = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1)
        )
        network.to(device)
        optimizer = torch.optim.AdamW(network.parameters(), lr=0.1)
        for _ in range(2):
            seen = F.interpolate(network(images.to(device)), (8, 8), mode="bilinear")
            optimizer.zero_grad()
            F.cross_entropy(seen, labels.to(device)).backward()
            optimizer.step()
        return [value.detach().cpu() for value in network.state_dict().values()]

    expected = learned("cpu")
    with FakeCuda():
        found = learned("cuda")
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)
