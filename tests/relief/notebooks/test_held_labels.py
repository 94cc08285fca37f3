import torch

from relief.formats.label_store import LabelStore
from relief.notebooks.held_labels import HeldLabels
from relief.schema.manifest import Manifest
from relief.schema.observation import LabelRecord


def test_what_is_held_is_kept_with_confidence(tmp_path):
    semantic = torch.tensor([[0, 1], [1, -1]])
    instance = torch.tensor([[0, 1], [2, 0]])
    sure = torch.tensor([[0.2, 0.4], [0.6, 0.0]])
    record = LabelRecord(semantic, torch.stack((semantic, instance), dim=-1), sure)
    manifest = Manifest(
        k=2, thing_ids=(1,), groups=(-1, 0), confidence="a.Part", images={"a": "pending"}
    )
    held = HeldLabels({"a": record}, manifest, {"a": "a.jpg"})
    held.keep(tmp_path / "out", save_codebook=lambda path: None)
    store = LabelStore(tmp_path / "out")
    assert store.keys == held.keys == ["a"]
    assert store.thing_ids == held.thing_ids
    assert store.panoptic("a").equal(held.panoptic("a"))
    assert store.semantic("a").equal(held.semantic("a"))
    assert (store.confidence("a") - held.confidence("a")).abs().max() <= 0.5 / 255
    assert '"score":' in (tmp_path / "out" / "panoptic.json").read_text()
