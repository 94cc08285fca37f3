from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from relief.schema.errors import UsageError
from relief.studies.features.feature_study import FeatureStudy
from relief.studies.requests import parse_request, study_names
from relief.studies.study import StudyRequest

STUDIES = Path(__file__).parents[3] / "configs" / "studies"


@dataclass(frozen=True)
class Labels:
    """Some labels.

    Args:
        labels: Folders.
        split: Of them.
    """

    labels: list[str]
    split: str = "val"


def parse(*args):
    return parse_request({"labels": Labels, "study": StudyRequest}, args, STUDIES)


def test_a_command_becomes_its_request_and_folders_add_up():
    name, request = parse("labels", "--labels", "one", "--labels", "two", "--split", "train")
    assert name == "labels"
    assert request == Labels(["one", "two"], "train")


def test_a_study_is_its_configuration_and_options_go_before_it():
    name, request = parse("study", "sample_features", "--out", "here")
    assert name == "study"
    assert request.folder == Path("here")
    assert isinstance(request.study, FeatureStudy)
    assert len(request.study.comparisons) == 20
    default = StudyRequest(request.study, "sample_features")
    assert default.folder == Path("outputs/studies/sample_features")


def test_options_are_looked_at_before_any_part_is_made():
    seen = []

    def check(values, files):
        seen.append((values["study"]["init_args"]["root"], [Path(str(f)).name for f in files]))
        raise UsageError("not like this")

    arguments = ["study", "pixel_level", "--study.init_args.root", "here"]
    with pytest.raises(UsageError, match="not like this"):
        parse_request({"study": StudyRequest}, arguments, STUDIES, check)
    assert seen == [("here", ["pixel_level.yaml"])]


@pytest.mark.parametrize("name", ["patch_level", "pixel_level", "multi_scale"])
def test_without_a_root_a_study_of_published_weights_is_of_the_sample(name):
    def seen(*arguments):
        _, request = parse_request({"study": StudyRequest}, ["study", name, *arguments], STUDIES)
        return request.name, request.prepared.root

    assert seen() == (name, "outputs/sample")
    assert seen("--split", "train") == (name, "outputs/sample")
    assert seen("--root", "city") == seen("--root=city") == (name, "city")


def test_an_unknown_study_is_told_with_the_known_ones():
    with pytest.raises(UsageError, match=r"unknown study: table_99\. Use one of .*sample_features"):
        parse("study", "table_99")


def test_every_study_has_its_own_name():
    for name in study_names(STUDIES):
        assert yaml.safe_load((STUDIES / f"{name}.yaml").read_text())["name"] == name
