from pathlib import Path

import pytest

from relief.studies.study import Study, StudyRequest, StudyResult, StudyTable


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
