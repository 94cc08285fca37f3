import pytest

from relief.reports.study_report import write_study
from relief.schema.errors import UsageError
from relief.studies.scoring.instance_request import InstanceRequest, measure_instances
from relief.studies.scoring.instance_study import InstanceRow, InstanceStudy
from relief.studies.study import StudyData
from tests.relief.studies.tiny import KEYS, draw_store, draw_tree


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    root = draw_tree(tmp_path_factory.mktemp("city"))
    draw_store(root / "all")
    draw_store(root / "two", KEYS[:2])
    return root


def test_rows_are_what_evaluate_instances_measures(city, tmp_path):
    rows = [
        InstanceRow(str(city / "all"), ["--out", "x"], "all"),
        InstanceRow(f"{city}/two", name="2"),
        InstanceRow(str(city / "all"), name="again"),
    ]
    study = InstanceStudy(rows, str(city))
    assert study.label_commands() == [["--out", "x"]]
    result = study.run()
    request = InstanceRequest(labels=str(city / "all"), root=str(city))
    expected = measure_instances(request).metrics
    assert result.runs[0]["masks/ap"] == expected["masks"]["ap"]
    assert result.runs[0]["found"] == expected["counts"]["found"]
    table, gains = result.tables
    assert [row[0] for row in gains.rows] == ["again - all"]  # the other one has other images
    assert [row[:3] for row in table.rows] == [
        ["all", "area", expected["masks"]["ap"]],
        ["2", "area", result.runs[1]["masks/ap"]],
        ["again", "area", expected["masks"]["ap"]],
    ]
    assert all(len(row) == len(table.columns) for row in table.rows)
    assert "table.csv" in write_study(tmp_path, result)


def test_given_labels_take_the_place_of_the_rows(city):
    study = InstanceStudy([InstanceRow("nowhere", ["--out", "x"], "all")], "nowhere")
    given = study.on(StudyData(labels=[str(city / "two")], root=str(city)))
    assert given.label_commands() == []
    assert [row[0] for row in given.run().tables[0].rows] == ["two"]
    with pytest.raises(UsageError, match=r"^no labels of city given"):
        study.on(StudyData(root="city"))
    assert study.on(StudyData()).rows == study.rows
    with pytest.raises(UsageError, match=r"^no labels given"):
        InstanceStudy([], "city")
