import pytest

from relief.schema.errors import UsageError
from relief.studies.joined import JoinedStudies
from relief.studies.study import Study, StudyData, StudyResult, StudyTable


class Small(Study):
    def __init__(self, value, columns=("features", "mIoU"), root="own"):
        self.value, self.columns, self.root = value, columns, root

    def on(self, data):
        return Small(self.value, self.columns, data.root)

    def label_commands(self):
        return [[f"--k={self.value}"]]

    def prepare(self, say):
        say(f"prepares {self.value}")

    def run(self):
        table = StudyTable("clusters", self.columns, [["tokens", self.value]])
        run = {"features": "tokens", "root": self.root}
        return StudyResult([table], [run], ["a note"], seconds=1.5, failures=[f"no {self.value}"])


def test_rows_stand_below_each_other_with_the_name_of_their_study():
    joined = JoinedStudies({"sample": Small(1), "photographs": Small(2)}, moved=["photographs"])
    result = joined.on(StudyData(root="elsewhere")).run()
    (table,) = result.tables
    assert (table.title, table.columns) == ("clusters", ("images", "features", "mIoU"))
    assert table.rows == [["sample", "tokens", 1], ["photographs", "tokens", 2]]
    assert [run["root"] for run in result.runs] == ["own", "elsewhere"]
    assert result.notes == ["sample: a note", "photographs: a note"]
    assert (result.seconds, result.failures) == (3.0, ["no 1", "no 2"])
    told = []
    joined.prepare(told.append)
    assert told == ["prepares 1", "prepares 2"]
    assert joined.label_commands() == [["--k=1"], ["--k=2"]]


def test_what_cannot_be_joined_is_told():
    with pytest.raises(UsageError, match="columns"):
        JoinedStudies({"a": Small(1), "b": Small(2, ("features", "PQ"))}).run()
    with pytest.raises(UsageError, match="moved: c is no study"):
        JoinedStudies({"a": Small(1)}, moved=["c"])
