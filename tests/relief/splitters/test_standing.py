import pytest
import torch

from relief.schema.errors import UsageError
from relief.schema.observation import Observation
from relief.splitters.connected import ConnectedSplitter
from relief.splitters.stability import StabilitySplitter
from relief.splitters.standing import StandingObjects
from tests.contracts.splitter import SplitterContract


class TestStandingObjects(SplitterContract):
    def splitter(self):
        return StandingObjects(ConnectedSplitter(6), least_share=0.3)


class TestSureOfItself(SplitterContract):
    masks_may_overlap = True  # as those of the splitter within

    def splitter(self):
        return StandingObjects(StabilitySplitter(area_share=0.005), least_share=0.2)


def observation(above):
    """Regions of 8 columns from row 12 on, with depth 0.4 and another one above each."""
    depth = torch.full((1, 1, 24, 10 * len(above)), 0.9)
    semantic = torch.full((1, 24, 10 * len(above)), -1)
    for index, far in enumerate(above):
        left = 10 * index
        semantic[0, 12:, left : left + 8] = 0
        depth[..., 12:, left : left + 8] = 0.4
        depth[..., :12, left : left + 8] = far
    return Observation(semantic=semantic, things=torch.tensor([True]), depth=depth)


def test_only_what_stands_in_front_of_something_is_kept_and_numbered_anew():
    split = StandingObjects(ConnectedSplitter(1)).split(observation([0.4, 0.8, 0.1, 0.8]))
    assert split.instance[0, 20, [2, 12, 22, 32]].tolist() == [0, 1, 0, 2]
    assert split.confidence is None


def test_the_confidence_of_what_is_given_back_is_nothing():
    within = StabilitySplitter(area_share=0.01, sharpening=None)
    seen = observation([0.4, 0.8])
    before, after = within.split(seen), StandingObjects(within).split(seen)
    assert (before.instance[0, 20, [2, 12]] > 0).all()
    assert after.instance[0, 20, [2, 12]].tolist() == [0, 1]
    assert float(after.confidence[0, 12:, :8].max()) == 0
    kept = after.instance > 0
    assert torch.equal(after.confidence[kept], before.confidence[kept])
    assert StandingObjects(within).confidence_name == within.confidence_name


def test_a_share_of_nothing_keeps_all_and_needs_are_those_of_both():
    seen = observation([0.4, 0.1])
    keeps_all = StandingObjects(ConnectedSplitter(1), least_share=0)
    assert torch.equal(keeps_all.split(seen).instance, ConnectedSplitter(1).split(seen).instance)
    assert keeps_all.needs == {"depth"}


@pytest.mark.parametrize(
    "arguments", [{"least_share": 1.5}, {"least_share": -0.1}, {"outside_px": 0}, {"inside_px": -1}]
)
def test_numbers_out_of_their_range_are_refused(arguments):
    with pytest.raises(UsageError, match=next(iter(arguments))):
        StandingObjects(ConnectedSplitter(1), **arguments)
