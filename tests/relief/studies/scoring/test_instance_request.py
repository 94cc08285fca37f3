import json

import pytest
import torch

from relief.formats.coco.instances import write_coco_instances
from relief.formats.label_store import LabelStore, write_panoptic
from relief.schema.categories import class_categories
from relief.schema.errors import UsageError
from relief.sources.cityscapes import CityscapesSource
from relief.sources.target_instances import TargetInstances
from relief.studies.scoring.instance_request import InstanceRequest, write_instance_scores
from relief.studies.scoring.score import score_labels, to_json
from tests.relief.studies.tiny import CLASS_OF_CLUSTER, KEYS, draw_store, draw_tree


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    root = draw_tree(tmp_path_factory.mktemp("city"))
    store = LabelStore(draw_store(root / "labels"))
    for i, key in enumerate(KEYS):  # no two images have instances of one area: ranks are clear
        panoptic = store.panoptic(key).roll(5 * (i == 1), dims=1)
        for number in range(1, 6):
            row, column = (panoptic[..., 1] == number).nonzero()[:i].T
            panoptic[row, column] = torch.tensor([-1, 0])
        write_panoptic(store.out, key, panoptic, store.manifest.is_thing)
    source = CityscapesSource(root)
    images = [(f"{key}.png", TargetInstances(source).instances(key)) for key in KEYS]
    write_coco_instances(root / "truth.json", images, class_categories(source.label_space))
    return root


def measured(city, out, **options):
    request = InstanceRequest(root=str(city), out=str(out), **options)
    scores = write_instance_scores(request)
    written = json.loads((out / "metrics.json").read_text())
    assert written["counts"] == scores.metrics["counts"]
    return scores.metrics


def test_labels_without_confidence_are_ranked_by_area_as_in_metrics_json(city, tmp_path):
    figures = measured(city, tmp_path, labels=str(city / "labels"))
    scores = score_labels(LabelStore(city / "labels"), CityscapesSource(city))
    expected = scores.metrics["panopticapi/majority"]
    for name in ("ap50", "ap75"):
        assert figures["masks"][name] == pytest.approx(expected[name])
    assert figures["counts"]["ranked_by"] == "area"
    assert 0 < figures["masks"]["ap50"] < 100


def test_objects_of_a_json_are_those_of_the_tree(city, tmp_path):
    given = {"labels": str(city / "labels")}
    of_tree = to_json(measured(city, tmp_path, **given))
    assert to_json(measured(city, tmp_path, **given, truth=str(city / "truth.json"))) == of_tree


def test_predictions_may_be_a_file_or_a_list_of_results(city, tmp_path):
    truth = str(city / "truth.json")
    whole = measured(city, tmp_path, predictions=truth, truth=truth, by_class=True)
    assert whole["masks"]["ap"] == whole["masks_by_class"]["ap"] == pytest.approx(100)
    assert whole["masks_by_class"]["per_class"]["car"]["ap75"] == pytest.approx(100)
    results = json.loads((city / "truth.json").read_text())["annotations"]
    results = [one for one in results if not one["iscrowd"]]
    (tmp_path / "results.json").write_text(json.dumps(results[:2]))
    some = measured(city, tmp_path, predictions=str(tmp_path / "results.json"), truth=truth)
    assert some["counts"]["found"] == 2
    assert some["counts"]["ranked_by"] == "score"


def test_clusters_have_classes_by_an_assignment_only(city, tmp_path):
    given = {"labels": str(city / "labels"), "by_class": True}
    with pytest.raises(UsageError, match=r"labels have no classes of cityscapes19: .*--assignment"):
        measured(city, tmp_path, **given)
    path = tmp_path / "assignment.json"
    path.write_text(json.dumps({"majority": {"panoptic": CLASS_OF_CLUSTER}}))
    figures = measured(city, tmp_path, **given, assignment=str(path))
    assert figures["masks_by_class"]["per_class"]["car"]["ap50"] > 0


def test_what_is_measured_is_one_thing(tmp_path):
    for options in ({}, {"labels": "a", "predictions": "b"}):
        with pytest.raises(UsageError, match=r"^give --labels OUT or --predictions FILE"):
            _ = InstanceRequest(**options).folder
    assert InstanceRequest(predictions="x/some.json").folder.as_posix().endswith("instances/some")


def test_categories_that_are_no_classes_are_one_line(city, tmp_path):
    content = json.loads((city / "truth.json").read_text())
    content["categories"][0]["name"] = "dragon"
    (tmp_path / "p.json").write_text(json.dumps(content))
    given = {"predictions": str(tmp_path / "p.json"), "truth": str(city / "truth.json")}
    measured(city, tmp_path, **given)
    with pytest.raises(UsageError, match=r"category dragon is no class of .* Leave --by_class out"):
        measured(city, tmp_path, **given, by_class=True)


def test_photographs_of_a_json_need_their_folder(city):
    given = {"labels": "a", "truth": str(city / "truth.json")}
    assert InstanceRequest(**given).photograph is None
    read = InstanceRequest(labels="a", root=str(city)).photograph
    assert read(KEYS[0]).shape[0] == 3
