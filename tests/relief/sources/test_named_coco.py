from typing import get_args

import pytest

from relief.schema.errors import UsageError
from relief.sources.named_coco import Name, NamedCocoSource
from tests.contracts.instances import InstanceReaderContract
from tests.contracts.source import SourceContract
from tests.relief.sources.test_coco_instances import LARGE, SMALL, draw


def place(root):
    """COCO's val2017 of two images, where everyone keeps it."""
    drawn = draw(root, (20, SMALL, 0), (3, LARGE, 0))
    (root / "coco" / "annotations").mkdir(parents=True)
    (root / "images").rename(root / "coco" / "val2017")
    drawn.rename(root / "coco" / "annotations" / "instances_val2017.json")
    return root


class TestNamedCocoSource(SourceContract):
    @pytest.fixture
    def source(self, tmp_path):
        return NamedCocoSource("coco_val2017", place(tmp_path), collapse=False)


class TestObjects(InstanceReaderContract):
    @pytest.fixture
    def reader(self, tmp_path):
        return NamedCocoSource("coco_val2017", place(tmp_path))


def test_all_classes_are_one_unless_asked(tmp_path):
    place(tmp_path)
    assert NamedCocoSource("coco_val2017", tmp_path).label_space.names == ("object",)
    kept = NamedCocoSource("coco_val2017", tmp_path, collapse=False)
    assert kept.label_space.names == ("dog", "cat")


@pytest.mark.parametrize("name", get_args(Name))
def test_what_is_missing_is_told_in_one_line(tmp_path, name):
    with pytest.raises(UsageError) as caught:
        NamedCocoSource(name, tmp_path).keys  # noqa: B018
    said = str(caught.value)
    assert "\n" not in said
    assert name in said
    assert said.count("no /") == 2  # the file and the folder


def test_only_what_is_missing_is_named(tmp_path):
    place(tmp_path)
    (tmp_path / "coco" / "annotations" / "instances_val2017.json").unlink()
    with pytest.raises(UsageError, match=r"no \S*instances_val2017.json\. Check root"):
        NamedCocoSource("coco_val2017", tmp_path).keys  # noqa: B018


def test_an_unknown_name_is_told_with_all_known(tmp_path):
    with pytest.raises(UsageError, match=r"name=cocco.*coco_val2017"):
        NamedCocoSource("cocco", tmp_path)
