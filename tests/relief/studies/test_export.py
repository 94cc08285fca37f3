import importlib
import json
from dataclasses import replace

import pytest
import torch

from relief.formats.coco.instances import CocoInstances
from relief.formats.coco.panoptic import write_panoptic_json
from relief.formats.cups import CupsLabels
from relief.formats.exports.cityscapes_ids import CityscapesIdsExport
from relief.formats.exports.coco import CocoInstancesExport, CocoPanopticExport
from relief.formats.exports.cups_files import CupsExport
from relief.formats.exports.exporter import Exporter
from relief.formats.exports.label_folder import StoreExport
from relief.formats.exports.labelme import LabelMe, LabelMeCorrections
from relief.formats.exports.yolo import YoloSegmentation
from relief.formats.label_instances import LabelInstances
from relief.formats.label_store import LabelStore, write_manifest
from relief.formats.shards.store import plan_shards
from relief.formats.shards.writer import write_shard
from relief.schema.categories import cluster_categories
from relief.schema.errors import UsageError
from relief.schema.label_spaces import CITYSCAPES_27
from relief.studies.export import EXPORTS, ExportRequest, export_labels, exported_labels
from tests.relief.studies.tiny import CLASS_OF_CLUSTER, KEYS, THING_CLUSTERS, draw_store


def test_clusters_go_to_cups_and_coco_but_not_to_cityscapes(tmp_path):
    store = LabelStore(draw_store(tmp_path / "s"))
    export_labels(ExportRequest(str(store.out), CupsExport(), str(tmp_path / "cups")))
    cups = CupsLabels(tmp_path / "cups")
    assert (cups.panoptic(cups.keys[0]) == store.panoptic(KEYS[0])).all()
    export_labels(ExportRequest(str(store.out), CocoPanopticExport(), str(tmp_path / "coco")))
    content = json.loads((tmp_path / "coco" / "panoptic.json").read_text())
    assert [c["name"] for c in content["categories"]][:2] == ["cluster 0", "cluster 1"]
    with pytest.raises(UsageError, match="clusters are not Cityscapes ids"):
        export_labels(ExportRequest(str(store.out), CityscapesIdsExport(), str(tmp_path / "x")))


def test_an_assignment_names_the_classes_and_is_recorded(tmp_path):
    store = draw_store(tmp_path / "s")
    path = tmp_path / "assignment.json"
    path.write_text(json.dumps({"cups": {"panoptic": CLASS_OF_CLUSTER}}))
    request = ExportRequest(
        str(store), CocoPanopticExport(), str(tmp_path / "coco"), str(path), "cups"
    )
    export_labels(request)
    text = (tmp_path / "coco" / "panoptic.json").read_text()
    assert json.loads(text)["categories"][13]["name"] == "car"
    assert "classes assigned by cups vote of ground truth" in text
    path.write_text(json.dumps({"cups": {"panoptic": [0]}}))
    with pytest.raises(UsageError, match="assignment is of other labels"):
        export_labels(request)


def test_photographs_keep_their_names(tmp_path):
    store = draw_store(tmp_path / "s")
    names = {key: f"{key}.JPG" for key in KEYS}
    write_panoptic_json(store, KEYS, cluster_categories(7, (1,)), names)
    export_labels(ExportRequest(str(store), CocoPanopticExport(), str(tmp_path / "coco")))
    images = json.loads((tmp_path / "coco" / "panoptic.json").read_text())["images"]
    assert [image["file_name"] for image in images] == [f"{key}.JPG" for key in sorted(KEYS)]
    assert [image["id"] for image in images] == [1, 2, 3]


def test_instances_go_to_coco_with_masks_and_scores(tmp_path):
    store = LabelStore(draw_store(tmp_path / "s"))
    names = {key: f"{key}.JPG" for key in KEYS}
    write_panoptic_json(store.out, KEYS, cluster_categories(7, THING_CLUSTERS), names)
    export_labels(ExportRequest(str(store.out), CocoInstancesExport(), str(tmp_path / "coco")))
    reader = CocoInstances(tmp_path / "coco" / "instances.json")
    assert reader.keys == sorted(KEYS)
    assert list(reader.categories) == [one + 1 for one in THING_CLUSTERS]
    assert reader.image(KEYS[0]).file_name == f"{KEYS[0]}.JPG"
    for key in KEYS:
        expected, found = LabelInstances(store).instances(key), reader.instances(key)
        assert found.masks == expected.masks
        assert (found.category == expected.category + 1).all()


def test_labels_of_classes_are_named_by_their_own(tmp_path):
    store = LabelStore(draw_store(tmp_path / "s"))
    classes = replace(store.manifest, classes="cityscapes27", label_space="oracle_classes")
    write_manifest(store.out, replace(classes, thing_ids=CITYSCAPES_27.things))
    request = ExportRequest(str(store.out), CocoPanopticExport(), str(tmp_path / "coco"))
    exported = exported_labels(request)
    assert exported.space is CITYSCAPES_27
    assert [category["name"] for category in exported.categories] == list(CITYSCAPES_27.names)
    with pytest.raises(UsageError, match=r"labels are of other classes: .*\(cityscapes27, not"):
        exported_labels(replace(request, label_space="cityscapes19"))


def test_every_format_has_a_class(tmp_path):
    for path in EXPORTS.values():
        module, _, name = path.rpartition(".")
        assert issubclass(getattr(importlib.import_module(module), name), Exporter)


def test_corrected_labels_are_a_store_again(tmp_path):
    store = str(draw_store(tmp_path / "s"))
    names = tmp_path / "names.yaml"
    names.write_text("car: [4, 5]\nperson: 6\nroad: 0\nbuilding: [1, 2]\nsky: 3\n")
    request = ExportRequest(store, LabelMe(tolerance_px=0), str(tmp_path / "m"), names=str(names))
    request = replace(request, label_space="cityscapes19")
    export_labels(request)
    corrections = LabelMeCorrections(str(tmp_path / "m"))
    again = replace(request, format=StoreExport(), out=str(tmp_path / "n"), corrections=corrections)
    export_labels(again)
    result, expected = LabelStore(tmp_path / "n"), exported_labels(request).labels
    assert result.manifest.supervision == ("names given by hand", "corrected by hand")
    for key in KEYS:
        one, two = result.panoptic(key), expected.panoptic(key)
        assert torch.equal(one[..., 1] > 0, two[..., 1] > 0)
        assert torch.equal(one[..., 0][one[..., 1] > 0], two[..., 0][one[..., 1] > 0])
    with pytest.raises(UsageError, match="both --assignment and --names"):
        export_labels(replace(request, assignment="x.json"))


def test_a_store_in_shards_is_exported_as_one_in_folders(tmp_path):
    flat = LabelStore(draw_store(tmp_path / "flat"))
    plan = replace(flat.manifest, shard_size=2)
    for shard in plan_shards(plan):
        write_shard(tmp_path / "shards", shard, flat, plan.settings_digest())
    write_manifest(tmp_path / "shards", plan)
    for name in ("flat", "shards"):
        out = str(tmp_path / f"{name}_yolo")
        export_labels(ExportRequest(str(tmp_path / name), YoloSegmentation(), out))
    for key in KEYS:
        file = f"labels/val/{key}.txt"
        text = (tmp_path / "shards_yolo" / file).read_text()
        assert text == (tmp_path / "flat_yolo" / file).read_text() != ""


def test_decisions_are_applied_before_names_and_recorded(tmp_path):
    store = LabelStore(draw_store(tmp_path / "s"))
    path = tmp_path / "decisions.json"
    dropped = {"key": KEYS[0], "action": "drop", "category": 4, "instance": 1}
    other = {"key": KEYS[1], "action": "drop_image"}
    content = {"labels": store.manifest.settings_digest(), "decisions": [dropped, other]}
    path.write_text(json.dumps(content))
    request = ExportRequest(str(store.out), StoreExport(), str(tmp_path / "n"), decisions=str(path))
    assert request.write() == tmp_path / "n"
    result = LabelStore(tmp_path / "n")
    assert result.keys == [KEYS[0], KEYS[2]]
    assert result.manifest.supervision == ("reviewed by hand",)
    assert len(LabelInstances(result).instances(KEYS[0])) == 4
