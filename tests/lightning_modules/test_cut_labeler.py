import pytest
import torch

from lightning_modules.cut_labeler import NO_REFINER, CutLabeler
from relief.models.refiners.dense_crf import DenseCRF
from relief.schema.errors import UsageError
from relief.schema.manifest import ManifestInputs
from tests.relief.models.labelling.test_cut_objects import SETTINGS, Colours, drawn


class Body(Colours):
    def setup(self):
        self.provenance = {"supervision": ["none"], "weights": {"body": "abc"}}


def labeler(**options):
    return CutLabeler(Body(), size_px=96, num_masks=2, settings=SETTINGS, **options)


def test_objects_are_one_category_with_confidence():
    model = labeler()
    model.load_weights()
    image, depth = drawn()
    batch = {"image": image[None], "depth": depth, "key": ["a"]}
    (record,) = model.predict_step(batch, 0)["records"]
    inside = record.panoptic[..., 1] > 0
    assert (record.panoptic[inside][:, 0] == 0).all()
    assert (record.panoptic[~inside] == torch.tensor([-1, 0])).all()
    assert torch.equal(record.semantic, torch.where(inside, 0, -1))
    assert set(record.panoptic[..., 1].unique().tolist()) == {0, 1, 2}
    assert set(record.scores) == {1, 2}
    assert not record.confidence[~inside].any()
    assert record.observation.features.shape == (1, 3, 12, 20)


def test_the_manifest_tells_what_decides():
    model = labeler()
    model.load_weights()
    manifest = model.manifest(
        ManifestInputs({"model": 1}, ["a"], {"supervision": ["depth labels"], "weights": {}})
    )
    assert (manifest.k, manifest.thing_ids, manifest.groups) == (1, (0,), (0,))
    assert manifest.weights == {"backbone/body": "abc"}
    assert manifest.supervision == ("backbone: none", "depth: depth labels")
    assert manifest.confidence == "lightning_modules.cut_labeler.CutLabeler"
    without = labeler(uses_depth=False)
    without.load_weights()
    told = without.manifest(
        ManifestInputs({}, ["a"], {"supervision": ["depth labels"], "weights": {}})
    )
    assert told.supervision == ("backbone: none",)


def test_depth_that_is_asked_for_and_missing_is_told_before_any_work():
    labeler().expect(has_depth=True)
    labeler(uses_depth=False).expect(has_depth=False)
    with pytest.raises(UsageError, match="needs depth"):
        labeler().expect(has_depth=False)


def test_a_refiner_without_its_library_is_left_out_and_noted(monkeypatch):
    def missing(self):
        raise UsageError("not installed")

    monkeypatch.setattr(DenseCRF, "setup", missing)
    model = labeler(refiner=DenseCRF())
    model.load_weights()
    assert model.refiner is None
    assert model.manifest(ManifestInputs({}, [])).notes == (NO_REFINER,)


def test_features_that_are_not_finite_fail_one_image():
    model = labeler()
    image, depth = drawn()
    broken = image.clone()
    broken[0, 0, 0] = torch.nan
    batch = {
        "image": torch.stack((image, broken)),
        "depth": torch.cat((depth, depth)),
        "key": ["a", "b"],
    }
    prediction = model.predict_step(batch, 0)
    assert prediction["key"] == ["a"]
    assert prediction["failures"][0]["key"] == "b"
    assert "not finite" in prediction["failures"][0]["reason"]
