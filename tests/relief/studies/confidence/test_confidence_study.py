import dataclasses

import pytest
import torch

from relief.formats.label_store import (
    LabelStore,
    read_manifest,
    write_confidence,
    write_manifest,
    write_panoptic,
)
from relief.schema.errors import UsageError
from relief.schema.label_spaces import thing_mask
from relief.studies.confidence.confidence_study import ConfidenceStudy, SureRow
from relief.studies.study import Spread, StudyData
from tests.relief.studies.tiny import KEYS, THING_CLUSTERS, draw_store, draw_tree


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
    study = ConfidenceStudy([SureRow(str(sure_store(tmp_path / "sure", {4: 0.2})))], str(root))
    (run,) = study.run().runs
    assert run["objects"] == 15
    assert run["object_precision/1.0"] == pytest.approx(100 - run["objects/random"])
    alike = [SureRow(str(sure_store(tmp_path / "all", {})))]
    unsure = ConfidenceStudy(alike, str(root)).run().runs[0]
    assert unsure["objects/area"] == pytest.approx(unsure["objects/random"])
    assert unsure["image_pq/1.0"] == run["image_pq/1.0"]
    assert run["object_pq/1.0"] == run["image_pq/1.0"]
    assert run["object_pq/0.5"] < run["object_pq/1.0"]  # most of what is dropped was right


def test_least_sure_images_go_first(tmp_path):
    root = draw_tree(tmp_path)
    out = sure_store(tmp_path / "sure", {})
    write_confidence(out, KEYS[0], torch.full((48, 96), 0.1))
    result = ConfidenceStudy([SureRow(str(out))], str(root)).run()
    two = sure_store(tmp_path / "rest", {})
    manifest = read_manifest(two)
    write_manifest(two, dataclasses.replace(manifest, images=dict.fromkeys(KEYS[1:], "labelled")))
    rest = ConfidenceStudy([SureRow(str(two))], str(root)).run().runs[0]
    assert result.runs[0]["image_miou/0.7"] == pytest.approx(rest["image_miou/1.0"], abs=3)
    assert all(len(row) == len(table.columns) for table in result.tables for row in table.rows)


def test_rows_of_one_name_are_averaged_and_ranks_of_several_stores_order_objects(tmp_path):
    root = draw_tree(tmp_path)
    first = str(sure_store(tmp_path / "first", {4: 0.2}))
    second = str(sure_store(tmp_path / "second", {5: 0.4}))
    rows = [SureRow(first, name="one"), SureRow(second, name="one")]
    rows.append(SureRow(first, name="ranks", ranked_with=[second]))
    result = ConfidenceStudy(rows, str(root)).run()
    precision = result.tables[0].rows
    assert [row[0] for row in precision] == ["one", "ranks"]
    values = [run["object_precision/0.7"] for run in result.runs[:2]]
    assert precision[0][3] == Spread.of(values)
    assert "pixel_miou/1.0" not in result.runs[2]  # ranks are of objects
    assert set(result.curves) == {"one", "ranks"}
    assert all(len(row) == len(table.columns) for table in result.tables for row in table.rows)


def test_images_with_more_wrong_objects_are_found_by_the_sum_of_doubts(tmp_path):
    root = draw_tree(tmp_path)
    out = sure_store(tmp_path / "sure", {})
    worst = LabelStore(out).panoptic(KEYS[1])
    cars = (worst[..., 1] > 0) & (worst[..., 1] < 5)
    worst[cars] = torch.tensor([4, 1])  # all cars are one
    write_panoptic(out, KEYS[1], worst, thing_mask(THING_CLUSTERS, 7))
    write_confidence(out, KEYS[1], torch.where(cars, 0.1, 1.0))
    run = ConfidenceStudy([SureRow(str(out))], str(root)).run().runs[0]
    assert run["tenth/objects"] == run["tenth/objects/oracle"] > 1


def test_labels_that_say_nothing_are_refused_in_a_line(tmp_path):
    root = draw_tree(tmp_path)
    study = ConfidenceStudy([SureRow("nowhere", ["--out", "nowhere"])], str(root))
    assert study.label_commands() == [["--out", "nowhere"]]
    given = study.on(StudyData(labels=[str(draw_store(tmp_path / "plain"))], root=str(root)))
    assert given.label_commands() == []
    with pytest.raises(UsageError, match=r"^the labels do not say how sure they are"):
        given.run()
    with pytest.raises(UsageError, match=r"^no labels of city given"):
        study.on(StudyData(root="city"))
