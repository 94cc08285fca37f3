import pytest
import torch

from relief.schema.observation import Observation


def ids(*rows: list[int]) -> torch.Tensor:
    return torch.tensor([rows])


THINGS = torch.tensor([False, True, True])


def test_regions_are_groups_and_all_of_them_are_things():
    observation = Observation(semantic=ids([0, 1, 2], [-1, 2, 1]), things=THINGS)
    regions = observation.regions(torch.tensor([-1, 1, 0]))
    assert regions.semantic.tolist() == [[[-1, 1, 0], [-1, 0, 1]]]
    assert regions.things.tolist() == [True, True]


def test_regions__without_any_group_nothing_is_split():
    regions = Observation(semantic=ids([0, 1]), things=THINGS[:2]).regions(torch.tensor([-1, -1]))
    assert regions.semantic.tolist() == [[[-1, -1]]]
    assert regions.things.tolist() == []


def test_what_is_missing_is_named_with_who_needs_it():
    observation = Observation(semantic=ids([0]), things=THINGS, image=torch.zeros(1, 3, 4, 4))
    assert observation.missing({"image", "semantic"}) == []
    observation.require({"image"}, "Any")
    with pytest.raises(ValueError, match=r"^MySplitter needs depth, features; .* has none\.$"):
        observation.require({"image", "features", "depth"}, "MySplitter")


@pytest.mark.parametrize(
    "maps",
    [
        {"semantic": torch.zeros(4, 5, dtype=torch.int64)},
        {"depth": torch.zeros(1, 1, 1, 3)},
        {"depth": torch.zeros(2, 1, 1, 2)},
        {"image": torch.zeros(2, 3, 4, 4)},
        {"features": torch.zeros(8, 4, 4)},
    ],
)
def test_maps_that_do_not_fit_are_refused(maps):
    with pytest.raises(ValueError, match=r"^Expected `\w+` to be .*, got .*\.$"):
        Observation(**{"semantic": ids([0, 1]), "things": THINGS, **maps})
