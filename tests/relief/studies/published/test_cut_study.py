import pytest
from torch import nn

from relief.formats.depth_files import FolderDepth
from relief.ops.cuts.cut_3d import CutSettings
from relief.schema.errors import UsageError
from relief.sources.cityscapes import CityscapesSource
from relief.studies.published.cut_study import CutRow, CutStudy
from relief.studies.study import StudyData
from tests.relief.studies.tiny import draw_tree

SETTINGS = CutSettings(threshold=0.5, importance=False, exclude_taken=True)


class Colours(nn.Module):
    """Mean colours of patches, apart from their mean over the image."""

    patch_px, dim = 4, 3

    def setup(self):
        pass

    def forward(self, image):
        features = nn.functional.avg_pool2d(image, 4)
        return features - features.mean(dim=(2, 3), keepdim=True)


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    return draw_tree(tmp_path_factory.mktemp("city"))


def study(root, rows, **options):
    return CutStudy(
        "Cuts",
        rows,
        Colours(),
        CityscapesSource(root, "val"),
        FolderDepth(root / "depth"),
        size_px=48,
        num_masks=6,
        **options,
    )


def test_rows_differ_by_what_they_change_and_stand_above_the_published(city):
    rows = [
        CutRow("flat", SETTINGS, uses_depth=False, published={"AP": 9.4}),
        CutRow("deep", SETTINGS),
        CutRow("unsure", SETTINGS, by_confidence=False, against="deep"),
    ]
    result = study(city, rows).run()
    flat, deep, unsure = result.runs
    assert flat["published AP"] == 9.4
    assert deep["found"] + deep["wrong"] > 0
    assert (deep["found"], deep["AR100"]) == (unsure["found"], unsure["AR100"])
    assert (flat["found"], flat["wrong"]) != (deep["found"], deep["wrong"])
    table, gains = result.tables
    assert [row[0] for row in table.rows] == ["flat", "  published", "deep", "unsure"]
    assert [row[0] for row in gains.rows] == ["deep - flat", "unsure - deep"]
    assert float(gains.rows[0][1]) == pytest.approx(deep["AP"] - flat["AP"], abs=0.006)
    assert float(gains.rows[1][3]) == pytest.approx(unsure["AP50"] - deep["AP50"], abs=0.006)


def test_a_tree_without_depth_is_cut_without_it_on_the_grids_of_the_rows(city):
    rows = [
        CutRow("square", SETTINGS, uses_depth=False, size_px=(48, 48), num_masks=1),
        CutRow("deep", SETTINGS),
        CutRow("wide", SETTINGS, uses_depth=False, against="deep"),
    ]
    given = study(city, rows, limit=2)
    bare = given.on(StudyData(root=str(city), split="val"))
    result = bare.run()
    assert [row["name"] for row in result.runs] == ["square", "wide"]
    assert "Left out without depth: deep." in result.notes
    assert [row[0] for row in result.tables[1].rows] == ["wide - square"]
    again = given.on(StudyData(root=str(city), split="val", depth_root=str(city / "depth"))).run()
    assert [row["name"] for row in again.runs] == ["square", "deep", "wide"]
    assert again.runs[2] == result.runs[1]
    with pytest.raises(UsageError, match="labels"):
        given.on(StudyData(labels=["x"]))
    bare.rows = rows[1:2]
    with pytest.raises(UsageError, match="every cut needs depth"):
        bare.run()


def test_wrong_use_is_found_before_any_work(city, tmp_path):
    for rows, told in (
        ([], "rows is empty"),
        ([CutRow("a"), CutRow("a")], "2 rows have one name"),
        ([CutRow("a", against="b")], "unknown row: b"),
        ([CutRow("a", published={"PQ": 1.0})], "unknown figure: PQ"),
    ):
        with pytest.raises(UsageError, match=told):
            study(city, rows)
    without = study(city, [CutRow("a", SETTINGS)], limit=1)
    without.depth = FolderDepth(tmp_path)
    with pytest.raises(UsageError, match="no depth of"):
        without.run()
