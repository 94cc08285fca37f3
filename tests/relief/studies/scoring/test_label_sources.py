import pytest

from relief.formats.label_store import write_manifest
from relief.schema.errors import UsageError
from relief.schema.label_spaces import CITYSCAPES_19, CITYSCAPES_27
from relief.schema.manifest import Manifest
from relief.studies.scoring.label_sources import are_class_ids, open_labels, read_assignment
from tests.relief.studies.tiny import KEYS, draw_store


def test_a_store_opens_and_says_what_its_ids_are(tmp_path):
    labels = open_labels(draw_store(tmp_path), "store", "val", CITYSCAPES_19)
    assert list(labels.keys) == sorted(KEYS)
    assert not are_class_ids(labels, "store", CITYSCAPES_19)
    classes = Manifest(
        k=7, label_space="oracle_classes", classes="cityscapes19", thing_ids=(11,), groups=()
    )
    write_manifest(tmp_path, classes)
    labels = open_labels(tmp_path, "store", "val", CITYSCAPES_19)
    assert are_class_ids(labels, "store", CITYSCAPES_19)
    assert not are_class_ids(labels, "store", CITYSCAPES_27)


def test_monocular_ups_trees_open_by_their_folder(tmp_path):
    (tmp_path / "pseudo_semantic_raw_k80").mkdir()
    labels = open_labels(
        tmp_path / "pseudo_semantic_raw_k80", "monocular_ups", "val", CITYSCAPES_19
    )
    assert labels.num_categories == 80
    assert not are_class_ids(labels, "monocular_ups", CITYSCAPES_19)


def test_what_cannot_be_opened_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"unknown format: voc\. Use one of store,"):
        open_labels(tmp_path, "voc", "val", CITYSCAPES_19)
    with pytest.raises(UsageError, match="no labels found"):
        open_labels(tmp_path / "x", "cups", "val", CITYSCAPES_19)
    write_manifest(tmp_path, Manifest(k=7))
    with pytest.raises(UsageError, match="labels are not finished"):
        open_labels(tmp_path, "store", "val", CITYSCAPES_19)


def test_assignment_files(tmp_path):
    path = tmp_path / "assignment.json"
    path.write_text('{"cups": {"panoptic": [1, -1]}}')
    assert read_assignment(path, "cups") == [1, -1]
    with pytest.raises(UsageError, match=r"cannot read assignment: .* \(majority\)"):
        read_assignment(path, "majority")
