import dataclasses

import pytest
import torch

from relief.ops.splitting.depth_sharpening import ToggleSharpening
from relief.schema.errors import UsageError
from relief.schema.observation import Observation
from relief.splitters.stability import StabilitySplitter
from tests.contracts.splitter import SplitterContract, drawn_observation


class TestStability(SplitterContract):
    masks_may_overlap = True

    def splitter(self):
        return StabilitySplitter(area_share=0.005, sigma=0.5)


def boxes(scale=1.0, blur=0.0):
    """Three objects before a slanted ground, all of one region; depth from 0.2 to 0.2 + scale."""
    rows = torch.linspace(0, 1, 60)[:, None].expand(60, 120)
    depth = 1 - 0.2 * rows
    for left, level in ((10, 0.2), (45, 0.5), (80, 0.7)):
        depth = depth.clone()
        depth[15:45, left : left + 25] = level
    if blur:
        offsets = torch.arange(-6, 7)
        kernel = torch.exp(-((offsets / blur) ** 2) / 2)
        for axis in (0, 1):
            depth = sum(
                weight * depth.roll(int(shift), axis)
                for weight, shift in zip(kernel / kernel.sum(), offsets, strict=True)
            )
    return Observation(
        semantic=torch.zeros(1, 60, 120, dtype=torch.int64),
        things=torch.tensor([True]),
        depth=(0.1 + scale * depth * 0.8)[None, None].clamp(0, 1),
    )


def overlaps(instance):
    """IoU of each box with the instance in its middle."""
    found = []
    for left in (10, 45, 80):
        box = torch.zeros(instance.shape, dtype=torch.bool)
        box[15:45, left : left + 25] = True
        mine = instance == instance[30, left + 12]
        found.append(float((mine & box).sum() / (mine | box).sum()))
    return found


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.25])
@pytest.mark.parametrize("blur", [0.0, 1.5])
def test_objects_are_found_without_a_threshold_whatever_the_depth(scale, blur):
    instance = StabilitySplitter(area_share=0.02).split(boxes(scale, blur)).instance[0]
    assert len(set(instance[30, [22, 57, 92]].tolist()) - {0}) == 3
    assert min(overlaps(instance)) > 0.8


def test_confidence_is_high_within_objects_and_lower_at_their_borders():
    split = StabilitySplitter(area_share=0.02).split(boxes(blur=1.5))
    sure = split.confidence[0]
    assert float(sure[30, 22]) > 0.9
    assert float(sure[30, 9:13].min()) < 0.7
    things = drawn_observation(1)
    away = StabilitySplitter(sigma=0.5).split(things)
    is_thing = (things.semantic >= 0) & things.things[things.semantic.clamp(min=0)]
    assert away.confidence[~is_thing].unique().tolist() == [1.0]
    assert float(away.confidence[is_thing & (away.instance == 0)].sum()) == 0


def test_a_lower_wall_makes_a_less_sure_object():
    observation = boxes()
    depth = observation.depth.clone()
    depth[..., 15:45, 35:45] = depth[..., 30:31, 50:51] + 0.02  # almost one with the middle box
    weak = StabilitySplitter(area_share=0.02).split(dataclasses.replace(observation, depth=depth))
    strong = StabilitySplitter(area_share=0.02).split(observation)
    assert weak.confidence[0, 30, 57] <= strong.confidence[0, 30, 57]


def test_sharpening_can_be_left_out():
    plain = StabilitySplitter(area_share=0.02, sharpening=None).split(boxes()).instance
    sharp = StabilitySplitter(area_share=0.02, sharpening=ToggleSharpening()).split(boxes())
    assert int(plain.max()) >= 3
    assert int(sharp.instance.max()) >= 3


@pytest.mark.parametrize(
    "wrong", [{"area_share": 1.5}, {"height": -0.1}, {"floor": 0.0}, {"likeness": 2.0}]
)
def test_numbers_out_of_their_range_are_refused(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        StabilitySplitter(**wrong)
