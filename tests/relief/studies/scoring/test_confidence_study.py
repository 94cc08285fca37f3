import dataclasses

import numpy as np
import pytest
import torch

from relief.formats.label_store import (
    LabelStore,
    read_manifest,
    write_confidence,
    write_manifest,
)
from relief.schema.errors import UsageError
from relief.studies.scoring.confidence_study import (
    ConfidenceStudy,
    SureObjects,
    right_objects,
    without_objects,
)
from relief.studies.study import StoreRow, StudyData
from tests.relief.studies.tiny import KEYS, draw_store, draw_tree


def sure_store(out, confidence_of_instance):
    """The store, as sure of each object as is said and of all else by 1."""
    draw_store(out)
    manifest = dataclasses.replace(read_manifest(out), confidence="tests.Sure")
    write_manifest(out, manifest)
    for key in KEYS:
        instance = LabelStore(out).panoptic(key)[..., 1]
        confidence = torch.ones(instance.shape)
        for number, value in confidence_of_instance.items():
            confidence[instance == number] = value
        write_confidence(out, key, confidence)
    return out


def test_objects_that_are_wrong_and_unsure_are_dropped_first(tmp_path):
    root = draw_tree(tmp_path)
    study = ConfidenceStudy([StoreRow(str(sure_store(tmp_path / "sure", {4: 0.2})))], str(root))
    (run,) = study.run().runs
    assert run["objects"] == 15
    assert run["object_precision/1.0"] == pytest.approx(100 * (1 - run["objects/random"]))
    alike = [StoreRow(str(sure_store(tmp_path / "all", {})))]
    unsure = ConfidenceStudy(alike, str(root)).run().runs[0]
    assert unsure["objects/area"] == pytest.approx(unsure["objects/random"])
    assert unsure["image_pq/1.0"] == run["image_pq/1.0"]
    assert run["object_pq/1.0"] == run["image_pq/1.0"]
    assert run["object_pq/0.5"] < run["object_pq/1.0"]  # most of what is dropped was right


def test_least_sure_images_go_first(tmp_path):
    root = draw_tree(tmp_path)
    out = sure_store(tmp_path / "sure", {})
    write_confidence(out, KEYS[0], torch.full((48, 96), 0.1))
    result = ConfidenceStudy([StoreRow(str(out))], str(root)).run()
    two = sure_store(tmp_path / "rest", {})
    manifest = read_manifest(two)
    write_manifest(two, dataclasses.replace(manifest, images=dict.fromkeys(KEYS[1:], "labelled")))
    rest = ConfidenceStudy([StoreRow(str(two))], str(root)).run().runs[0]
    assert result.runs[0]["image_miou/0.7"] == pytest.approx(rest["image_miou/1.0"], abs=3)
    assert all(len(row) == len(table.columns) for table in result.tables for row in table.rows)


def test_confidence_of_an_object_is_the_mean_over_its_pixels():
    panoptic = torch.tensor([[[3, 1], [3, 1], [3, 2], [0, 0]]])
    sure = SureObjects.of(panoptic, torch.tensor([[1.0, 0.2, 0.6, 0.0]]))
    assert sure.ids.tolist() == [[3, 1], [3, 2]]
    assert sure.confidence.tolist() == pytest.approx([0.6, 0.6])
    assert sure.image_confidence == pytest.approx(0.45)


TABLE = np.array(
    [
        # category, instance, true class, true instance, pixels
        [4, 1, 13, 1, 60],
        [4, 1, -1, 0, 100],  # true void is left out
        [4, 2, 13, 1, 40],
        [4, 2, 13, 2, 10],
        [0, 0, 13, 2, 30],
        [5, 3, 11, 4, 50],
    ]
)
CLASSES = np.array([0, 0, 0, 0, 13, 13])


def test_a_match_is_of_the_same_class_and_more_than_half():
    ids = np.array([[4, 1], [4, 2], [5, 3]])
    assert right_objects(TABLE, ids, CLASSES).tolist() == [1, 0, 0]
    of_person = np.where(np.arange(6) == 5, 11, CLASSES)
    assert right_objects(TABLE, ids, of_person).tolist() == [1, 0, 1]


def test_dropped_objects_are_things_without_an_instance():
    dropped = without_objects(TABLE, np.array([[4, 2]]))
    assert dropped[:, 1].tolist() == [1, 1, 0, 0, 0, 3]
    assert TABLE[2, 1] == 2


def test_labels_that_say_nothing_are_refused_in_a_line(tmp_path):
    root = draw_tree(tmp_path)
    study = ConfidenceStudy([StoreRow("nowhere", ["--out", "nowhere"])], str(root))
    assert study.label_commands() == [["--out", "nowhere"]]
    given = study.on(StudyData(labels=[str(draw_store(tmp_path / "plain"))], root=str(root)))
    assert given.label_commands() == []
    with pytest.raises(UsageError, match=r"^the labels do not say how sure they are"):
        given.run()
    with pytest.raises(UsageError, match=r"^no labels of city given"):
        study.on(StudyData(root="city"))
