import pytest
import torch

from lightning_modules.stored_labels import StoredLabels
from relief.schema.errors import UsageError
from relief.schema.manifest import ManifestInputs
from tests.lightning_modules.embedding_labels import SEMANTIC, write_store


def test_labels_are_those_of_the_store_at_the_size_of_the_image(tmp_path):
    labeler = StoredLabels(write_store(tmp_path))
    prediction = labeler.predict_step({"image": torch.rand(1, 3, 16, 32), "key": ["x"]}, 0)
    (record,) = prediction["records"]
    expected = SEMANTIC.repeat_interleave(2, 0).repeat_interleave(2, 1)
    assert torch.equal(record.semantic, expected)
    assert torch.equal(record.panoptic[..., 0], torch.where(expected == 1, 1, 0))


def test_the_manifest_keeps_supervision_and_names_the_store_by_its_digest(tmp_path):
    store = write_store(tmp_path)
    manifest = StoredLabels(store).manifest(ManifestInputs({"a": 1}, ["x", "y"]))
    assert manifest.parts == {"a": 1}
    assert manifest.supervision == ("of the semantics",)
    assert manifest.images == {"x": "pending", "y": "pending"}
    assert set(manifest.weights) == {"labels"}
    (store / "panoptic.json").write_text("{ }")
    assert StoredLabels(store).manifest(ManifestInputs({}, [])).weights != manifest.weights


def test_what_is_missing_is_told(tmp_path):
    with pytest.raises(UsageError):
        StoredLabels(tmp_path).manifest(ManifestInputs({}, []))
    labeler = StoredLabels(write_store(tmp_path))
    prediction = labeler.predict_step({"image": torch.rand(1, 3, 8, 16), "key": ["y"]}, 0)
    assert [failure["key"] for failure in prediction["failures"]] == ["y"]
