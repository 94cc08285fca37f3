import torch

from relief.ops.host_copy import HostCopy
from tests.fake_cuda import FakeCuda


def test_nothing_waits_until_somebody_asks():
    maps = torch.arange(6.0).view(2, 3)
    with FakeCuda() as device:
        copy = HostCopy.of(maps.cuda(), None, maps.cuda().to(torch.int16))
        assert not device.waits
        first, nothing, small = copy.wait()
        assert device.waits.total() == 1
    assert nothing is None
    assert torch.equal(first, maps)
    assert torch.equal(small, maps.to(torch.int16))


def test_on_the_cpu_there_is_nothing_to_copy():
    maps = torch.ones(2)
    (same,) = HostCopy.of(maps).wait()
    assert same is maps
