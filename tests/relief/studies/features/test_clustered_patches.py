import math

import pytest
import torch
from torch import nn

from relief.processes import scripts
from relief.reports.study_report import write_study
from relief.schema.errors import UsageError
from relief.schema.geometry import WindowGeometry
from relief.studies.features.clustered_patches import ClusteredPatches, effective_rank
from relief.studies.study import StudyData


class MeanColour(nn.Module):
    """Regions of the drawn street differ in brightness."""

    patch_px, dim = 2, 2

    def setup(self):
        """Has no weights."""

    def forward(self, image):
        mean = nn.functional.avg_pool2d(image, self.patch_px).mean(dim=1, keepdim=True)
        return torch.cat((mean, torch.full_like(mean, 0.3)), dim=1)


class Nothing(MeanColour):
    def forward(self, image):
        return torch.ones_like(super().forward(image))


def study(root, **options):
    features = {"colour": MeanColour(), "nothing": Nothing()}
    geometry = WindowGeometry(32, 32, 16)
    return ClusteredPatches(features, [4, 8], [0, 1], str(root), geometry=geometry, **options)


def test_features_that_tell_classes_apart_are_above_those_that_do_not(tiny_cityscapes, tmp_path):
    result = study(tiny_cityscapes).run()
    assert len(result.runs) == 8
    (table,) = result.tables
    assert table.columns[:3] == ("features", "k = 4: mIoU", "classes found")
    colour, nothing = table.rows
    assert colour[1].mean > nothing[1].mean + 20
    # one cluster: the larger of road and sky, and nothing of the other two classes
    assert nothing[2].mean == 1
    assert colour[2].mean >= 2
    assert math.isclose(colour[1].mean, sum(r["miou"] for r in result.runs[:2]) / 2)
    assert "3 images of val, clusters fitted on train" in result.notes[0]
    assert study(tiny_cityscapes, limit=2).run().runs[0]["images"] == 2
    assert {"table.csv", "table.md"} <= set(write_study(tmp_path, result))


def test_several_trainings_of_one_kind_are_one_row(tiny_cityscapes):
    geometry = WindowGeometry(32, 32, 16)
    features = {"both": [MeanColour(), Nothing()], "colour": MeanColour()}
    result = ClusteredPatches(features, [4], [0, 1], str(tiny_cityscapes), geometry=geometry).run()
    both, colour = result.tables[0].rows
    assert len(result.runs) == 6
    assert both[1].mean == pytest.approx(sum(r["miou"] for r in result.runs[:4]) / 4)
    assert colour[1].mean > both[1].mean


def test_weights_that_are_missing_are_trained_first(tiny_cityscapes, tmp_path, monkeypatch):
    (tmp_path / "train.py").write_text(
        "import pathlib, sys\npathlib.Path(sys.argv[1]).touch()\nsys.exit(int(sys.argv[2]))"
    )
    monkeypatch.setattr(scripts, "FOLDER", tmp_path)
    there = tmp_path / "there"
    there.touch()
    (tiny_cityscapes / "made").mkdir()
    missing = tiny_cityscapes / "made" / "missing"
    trainings = {
        str(there): [str(tmp_path / "again"), "0"],
        str(missing): ["{root}/made/missing", "0"],
    }
    study("elsewhere", trainings=trainings).on(StudyData(root=str(tiny_cityscapes))).run()
    assert missing.is_file()
    assert not (tmp_path / "again").exists()
    with pytest.raises(UsageError, match=r"weights could not be made: python train\.py"):
        study(tiny_cityscapes, trainings={"nowhere": [str(tmp_path / "x"), "2"]}).run()


def test_the_effective_rank_counts_directions_that_vary_alike():
    corners = torch.cat((torch.eye(4), -torch.eye(4)))
    assert effective_rank(corners) == pytest.approx(4)
    assert effective_rank(corners * torch.tensor([1.0, 1, 0, 0])) == pytest.approx(2)
    assert 1 < effective_rank(corners * torch.tensor([3.0, 1, 0, 0])) < 2
