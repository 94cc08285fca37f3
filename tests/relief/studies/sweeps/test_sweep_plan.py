from pathlib import Path

import pytest

from relief.schema.errors import UsageError
from relief.schema.parts import Splitter
from relief.splitters.connected import ConnectedSplitter
from relief.studies.sweeps.settings import AREA_FILTER, GRID
from relief.studies.sweeps.sweep_plan import (
    SweepDepth,
    SweepRequest,
    SweepRow,
    SweepSource,
    settings,
)

SOURCE = SweepSource("k=2", "{root}/labels", [SweepRow([10]), SweepRow([10, 500], 0.2, sigma=2.0)])


def test_settings_cross_rows_with_depths_and_add_components_at_each_filter():
    depths = [SweepDepth("a", "x"), SweepDepth("b", "y")]
    found = settings(SOURCE, SweepRequest([SOURCE], depths))
    assert [(one.name, one.depth, one.min_area_px, one.purpose) for one in found] == [
        ("connected", "", 10, GRID),
        ("depth_gradient", "a", 10, GRID),
        ("depth_gradient", "a", 500, GRID),
        ("depth_gradient", "b", 10, GRID),
        ("depth_gradient", "b", 500, GRID),
        ("connected", "", 500, AREA_FILTER),
    ]
    assert found[1].arguments == {
        "gradient_threshold": 0.2,
        "min_area_px": 10,
        "sigma": 2.0,
        "dilation_px": 3,
        "sharpening": None,
    }
    assert found[1].cut == found[2].cut != found[3].cut
    plain = SweepRequest([SOURCE], depths[:1], separate_area_filter=False)
    assert [one.purpose for one in settings(SOURCE, plain)] == [GRID] * 3


class Features(ConnectedSplitter):
    needs = frozenset({"features"})


@pytest.mark.parametrize(
    ("source", "missing"),
    [
        (SOURCE, "DepthGradientSplitter needs depth; this sweep has image, semantic"),
        (SweepSource("k=2", "x", splitters=[Features(3)]), "Features needs features; this sweep"),
    ],
)
def test_what_a_splitter_needs_and_a_sweep_lacks_is_refused(source, missing):
    with pytest.raises(UsageError, match=missing):
        SweepRequest([source], [])


def test_splitters_without_an_area_filter_have_components_beside_them():
    class Whole(Splitter):
        def split(self, observation):
            raise NotImplementedError

    source = SweepSource("k=2", "x", splitters=[Whole()])
    whole, components = settings(source, SweepRequest([source], []))
    assert (whole.min_area_px, whole.arguments) == (1, {})
    assert (components.name, components.min_area_px) == ("connected", 10)


def test_folders():
    request = SweepRequest([SOURCE], [SweepDepth("a", "x")], root="data", name="grid")
    assert request.path(SOURCE.labels) == Path("data/labels")
    assert request.folder == Path("outputs/evaluate/grid")
    assert SweepRequest([], [], out="o").folder == Path("o")


def test_the_command_for_labels_knows_the_folder():
    source = SweepSource("k=2", "x", [], label_args=["--root", "{root}", "--out", "{root}/x"])
    request = SweepRequest([source], [], root="my data")
    assert request.label_command(source) == ["--root", "my data", "--out", "my data/x"]
