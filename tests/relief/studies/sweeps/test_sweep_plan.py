from pathlib import Path

from relief.studies.sweeps.split_tables import CONNECTED, Cut
from relief.studies.sweeps.sweep_plan import (
    AREA_FILTER,
    GRID,
    Setting,
    SweepDepth,
    SweepRequest,
    SweepRow,
    SweepSource,
    settings,
)

SOURCE = SweepSource("k=2", "{root}/labels", [SweepRow([10]), SweepRow([10, 500], 0.2, sigma=2.0)])


def test_settings_cross_rows_with_depths_and_add_components_at_each_filter():
    depths = [SweepDepth("a", "x"), SweepDepth("b", "y")]
    cut = Cut(0.2, 2.0, 3)
    assert settings(SOURCE, SweepRequest([SOURCE], depths)) == [
        Setting("", CONNECTED, 10, GRID),
        Setting("a", cut, 10),
        Setting("a", cut, 500),
        Setting("b", cut, 10),
        Setting("b", cut, 500),
        Setting("", CONNECTED, 500, AREA_FILTER),
    ]
    plain = SweepRequest([SOURCE], depths[:1], separate_area_filter=False)
    assert [one.purpose for one in settings(SOURCE, plain)] == [GRID] * 3


def test_folders():
    request = SweepRequest([SOURCE], [], root="data", name="grid")
    assert request.path(SOURCE.labels) == Path("data/labels")
    assert request.folder == Path("outputs/evaluate/grid")
    assert SweepRequest([], [], out="o").folder == Path("o")


def test_the_command_for_labels_knows_the_folder():
    source = SweepSource("k=2", "x", [], label_args=["--root", "{root}", "--out", "{root}/x"])
    request = SweepRequest([source], [], root="my data")
    assert request.label_command(source) == ["--root", "my data", "--out", "my data/x"]
