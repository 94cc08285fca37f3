from pathlib import Path

import pytest

from relief.schema.errors import UsageError
from relief.studies.study import Study, StudyData, StudyRequest, StudyResult, StudyTable


class Constant(Study):
    def run(self):
        return StudyResult([StudyTable("one", ("a",), [[1]])], [{"a": 1}])


def test_a_study_runs_and_its_results_have_a_folder():
    request = StudyRequest(Constant(), "constant")
    assert request.folder == Path("outputs/studies/constant")
    assert request.study.run().tables[0].rows == [[1]]
    assert StudyRequest(Constant(), "constant", out="there").folder == Path("there")


def test_a_study_without_run_is_none():
    with pytest.raises(TypeError):
        Study()


def test_a_study_of_the_sample_takes_no_other_data():
    study = Constant()
    assert StudyRequest(study, "constant").prepared is study
    why = "this study makes its own labels of the sample"
    with pytest.raises(UsageError, match=rf"^{why}: --root, --split\. Leave them out\.$"):
        study.on(StudyData(root="x", split="train"))
    with pytest.raises(UsageError, match=rf"^{why}: --depth_root\. Leave it out\.$"):
        study.on(StudyData(depth_root="x"))
