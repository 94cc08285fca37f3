import pytest
from torch import nn

from relief.formats.depth_files import FolderDepth
from relief.ops.cuts.cut_3d import CutSettings
from relief.schema.errors import UsageError
from relief.sources.cityscapes import CityscapesSource
from relief.studies.published.cut_study import CutRow, CutStudy
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
