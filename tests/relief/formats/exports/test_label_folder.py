import json
from dataclasses import replace

import torch

from relief.formats.exports.label_folder import StoreExport
from relief.formats.label_store import LabelStore
from relief.schema.label_spaces import CITYSCAPES_19
from tests.relief.formats.exports.drawn import KEYS, draw_labels


def test_a_store_of_a_store_holds_the_same_labels(tmp_path):
    exported = draw_labels(tmp_path)
    StoreExport().write(tmp_path / "again", exported)
    store, before = LabelStore(tmp_path / "again"), exported.labels
    assert store.keys == list(KEYS)
    for key in KEYS:
        assert torch.equal(store.panoptic(key), before.panoptic(key))
        assert torch.equal(store.semantic(key), before.semantic(key))
        assert torch.equal(store.confidence(key), before.confidence(key))
    manifest = store.manifest
    assert manifest.parts == {"labels_before": before.manifest.settings_digest()}
    assert (manifest.groups, manifest.thing_ids) == (before.manifest.groups, (1, 2))
    content = json.loads((store.out / "panoptic.json").read_text())
    assert content["images"][0]["file_name"] == "a/one.jpg"


def test_classes_and_what_they_depended_on_reach_the_manifest(tmp_path):
    exported = draw_labels(tmp_path)
    none = replace(exported, space=CITYSCAPES_19, supervision=["corrected by hand"])
    StoreExport().write(tmp_path / "c", replace(none, confidence=lambda key: None))
    manifest = LabelStore(tmp_path / "c").manifest
    assert (manifest.classes, manifest.k, manifest.confidence) == ("cityscapes19", 4, None)
    assert manifest.supervision == ("corrected by hand",)
