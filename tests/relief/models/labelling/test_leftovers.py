import pytest
import torch

from relief.models.labelling.leftovers import BestStuff, LeaveVoid, NearestObject
from relief.schema.errors import UsageError
from relief.schema.observation import Observation
from tests.contracts.leftovers import LeftoversContract

SEMANTIC = torch.tensor([[[0, 1, 1, 2, 2, -1]]])
THINGS = torch.tensor([False, True, True])
INSTANCE = torch.tensor([[[0, 1, 0, 0, 0, 0]]])


def observation(**maps):
    return Observation(semantic=SEMANTIC, things=THINGS, **maps)


def test_void_changes_nothing():
    semantic, instance = LeaveVoid().fill(observation(), INSTANCE)
    assert torch.equal(semantic, SEMANTIC)
    assert torch.equal(instance, INSTANCE)


def test_best_stuff_takes_thing_pixels_without_an_object_only():
    stuff = torch.tensor([[[0, 0, 0, 0, -1, 0]]])
    semantic, instance = BestStuff().fill(observation(stuff=stuff), INSTANCE)
    assert semantic.tolist() == [[[0, 1, 0, 0, 2, -1]]]
    assert torch.equal(instance, INSTANCE)


def test_the_nearest_object_is_near_in_the_image_and_in_depth():
    depth = torch.tensor([[[[0.9, 0.2, 0.21, 0.22, 0.9, 0.2]]]])
    part = NearestObject(max_distance=0.34, step_px=1)
    semantic, instance = part.fill(observation(depth=depth), INSTANCE)
    assert instance.tolist() == [[[0, 1, 1, 1, 0, 0]]]  # the fifth is far behind, the last no thing
    assert torch.equal(semantic, SEMANTIC)
    near = NearestObject(max_distance=0.2, step_px=1).fill(observation(depth=depth), INSTANCE)[1]
    assert near.tolist() == [[[0, 1, 1, 0, 0, 0]]]


def test_without_objects_or_images_nothing_is_joined():
    depth = torch.zeros(1, 1, 1, 6)
    nothing = torch.zeros_like(INSTANCE)
    assert not NearestObject().fill(observation(depth=depth), nothing)[1].any()
    none = Observation(semantic=SEMANTIC[:0], things=THINGS, depth=depth[:0])
    assert NearestObject().fill(none, nothing[:0])[1].shape == (0, 1, 6)


def test_what_a_part_needs_is_named():
    with pytest.raises(ValueError, match="BestStuff needs stuff"):
        BestStuff().fill(observation(), INSTANCE)
    with pytest.raises(ValueError, match="NearestObject needs depth"):
        NearestObject().fill(observation(), INSTANCE)
    with pytest.raises(UsageError, match="step_px=0"):
        NearestObject(step_px=0)


class TestLeaveVoid(LeftoversContract):
    def leftovers(self):
        return LeaveVoid()


class TestBestStuff(LeftoversContract):
    def leftovers(self):
        return BestStuff()


class TestNearestObject(LeftoversContract):
    def leftovers(self):
        return NearestObject(max_distance=0.1)
