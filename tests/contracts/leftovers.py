"""What every rule for leftovers must do; its test inherits this class and makes `leftovers`."""

import dataclasses

import torch

from relief.models.labelling.leftovers import Leftovers
from tests.contracts.splitter import drawn_observation
from tests.fake_cuda import FakeCuda, on


class LeftoversContract:
    """Only thing pixels without an object change; objects keep their pixels and numbers."""

    def leftovers(self) -> Leftovers:
        """Makes the part."""
        raise NotImplementedError

    def test_only_thing_pixels_without_an_object_change(self):
        observation = drawn_observation()
        stuff = torch.where(torch.rand(observation.semantic.shape) < 0.5, 0, 3)
        observation = type(observation)(**{**vars(observation), "stuff": stuff})
        part = self.leftovers()
        things = observation.things[observation.semantic.clamp(min=0)] & (observation.semantic >= 0)
        instance = torch.where(things & (torch.rand(things.shape) < 0.5), 1, 0)
        before = instance.clone()
        semantic, filled = part.fill(observation, instance)
        assert (semantic.dtype, filled.dtype) == (torch.int64, torch.int64)
        changed = (semantic != observation.semantic) | (filled != instance)
        assert not (changed & ~part.left(observation, instance)).any()
        assert torch.equal(instance, before)
        assert set(filled.unique().tolist()) <= {0, 1}
        again = part.fill(observation, instance)
        assert torch.equal(again[0], semantic)
        assert torch.equal(again[1], filled)

    def test_it_fills_on_the_device_of_the_observation(self):
        observation = dataclasses.replace(drawn_observation(), stuff=drawn_observation().semantic)
        instance = (observation.semantic == 1).to(torch.int64)
        expected = self.leftovers().fill(observation, instance)
        with FakeCuda():
            filled = self.leftovers().fill(on("cuda", observation), instance.cuda())
            assert all(maps.is_cuda for maps in filled)
            assert all(map(torch.equal, on("cpu", filled), expected))
