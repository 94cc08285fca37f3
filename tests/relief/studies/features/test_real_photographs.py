import dataclasses

import pytest

from relief.models.backbones.rgb_statistics import RGBStatistics
from relief.models.codebooks.thing_rule import ThingRule
from relief.processes import scripts
from relief.reports.study_report import write_study
from relief.schema.errors import UsageError
from relief.schema.geometry import WindowGeometry
from relief.splitters.connected import ConnectedSplitter
from relief.studies.features.real_photographs import RealPhotographs
from relief.studies.features.sample_features_plan import FeatureSource, SampleFeatures
from relief.studies.study import StudyData


def plan(name):
    return SampleFeatures(
        features=[FeatureSource("rgb", RGBStatistics(2), [2, 6], ["all"])],
        splittings={"all": ConnectedSplitter(4)},
        depth=None,
        rule=ThingRule(),
        geometry=WindowGeometry(32, 32, 16),
        seeds=[0, 1],
        root=name,
        split_short_side_px=32,
        limit=2,
        processes=1,
    )


@pytest.fixture
def study(tiny_cityscapes):
    plans = {"whole": plan(tiny_cityscapes.name)}
    plans["again"] = dataclasses.replace(plans["whole"], seeds=[0])
    return RealPhotographs(plans, told=["rgb"]).on(StudyData(root=str(tiny_cityscapes.parent)))


def test_every_folder_has_its_rows_and_what_few_clusters_miss(study, tmp_path):
    result = study.run()
    assert len(result.runs) == 6
    assert {run["images"] for run in result.runs} == {2}
    whole, missed, _ = result.tables
    assert whole.columns[2:5] == ("k = 2: mIoU", "k = 2: found", "k = 2: PQ stuff")
    assert [row[:2] for row in whole.rows] == [["whole", "rgb"], ["again", "rgb"]]
    few, many = whole.rows[0][3].mean, whole.rows[0][6].mean
    assert few <= 2 < many  # two clusters cannot find more than two classes
    classes = [row[1] for row in missed.rows]
    occurring = [name for name in result.runs[0] if name.startswith("iou ")]
    assert 0 < len(classes) < len(occurring)
    for _, name, absorber, before, after in missed.rows:
        assert absorber not in ("", name)
        assert before.mean < 0.05
        assert after.mean >= before.mean
    assert missed.columns[-1] == "IoU, k = 6"
    assert {"table.csv", "table.md"} <= set(write_study(tmp_path, result))


def test_missing_folders_and_other_data_are_told(study, tmp_path):
    with pytest.raises(UsageError, match=r"no photographs: .*Give --root, or set RELIEF_SHARED"):
        study.on(StudyData(root=str(tmp_path / "none"))).run()
    with pytest.raises(UsageError, match="--split"):
        study.on(StudyData(split="val"))


def test_missing_heads_are_trained_below_the_root(study, tmp_path, monkeypatch):
    (tmp_path / "train.py").write_text("import sys\nopen(sys.argv[1], 'w').write(sys.argv[2])")
    monkeypatch.setattr(scripts, "FOLDER", tmp_path)
    made = tmp_path / "made"
    study.trainings = {str(made): [str(made), "{root}/x"]}
    study.run()
    assert made.read_text() == f"{study.root}/x"
