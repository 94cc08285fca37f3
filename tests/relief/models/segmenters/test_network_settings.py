import pytest
from torch import nn

from relief.models.segmenters.network_settings import NetworkSettings
from relief.schema.errors import WeightsError

CALLED = []


class Nested(nn.Module):
    def __init__(self, num_things, num_regions, *, body: nn.Module, width: int = 2):
        super().__init__()
        self.body, self.numbers = body, (num_things, num_regions, width)


def call(*arguments) -> nn.Module:
    CALLED.append(arguments)
    return nn.Identity()


class Anything:
    def __init__(self, num_things=0, num_regions=0):
        CALLED.append((num_things, num_regions))


def part(name, **arguments):
    return {"class_path": f"{__name__}.{name}", "init_args": arguments}


BODY = {"class_path": "torch.nn.Linear", "init_args": {"in_features": 2, "out_features": 5}}


def test_a_network_is_made_with_its_parts():
    settings = NetworkSettings.of(part("Nested", body=BODY))
    network = settings.changed({"width": 7}).maker("x.ckpt")(3, 4)
    assert network.numbers == (3, 4, 7)
    assert network.body.out_features == 5


def test_settings_are_read_as_they_are_kept():
    assert NetworkSettings.of(None) is None
    assert NetworkSettings.of("torch.nn.Linear") == NetworkSettings("torch.nn.Linear", {})
    assert NetworkSettings.of({"class_path": "a.B"}) == NetworkSettings("a.B", {})
    with pytest.raises(TypeError):
        NetworkSettings.of({"init_args": {}})


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        (part("Missing"), "Missing"),
        ({"class_path": "no.such.module.Network"}, "no"),
        (part("Anything"), "Anything"),
        (part("call"), "call is no class"),
        (part("Nested", body=part("call")), "call is no class"),
        (part("Nested", body=part("Anything")), "body"),
        (part("Nested", body=BODY, colour="red"), "colour"),
    ],
)
def test_what_is_no_network_is_told_and_never_called(known, reason):
    settings = NetworkSettings.of(known)
    with pytest.raises(WeightsError) as told:
        settings.maker("x.ckpt")
    assert str(told.value).startswith("cannot make the network of x.ckpt: ")
    assert reason in str(told.value)
    assert "\n" not in str(told.value)
    assert CALLED == []
