from types import SimpleNamespace

import pytest
import torch

from callbacks.report_writer import Lookup, ReportWriter, or_nothing
from lightning_modules.labeler import Labeler
from relief.schema.errors import ReadError, UsageError
from relief.schema.observation import LabelRecord


def test_what_cannot_be_looked_up_is_left_out_and_noted_once():
    def depth(key):
        if key == "b":
            raise IndexError("cut")
        return torch.ones(1)

    failures = []
    look_up = or_nothing(depth, failures)
    assert look_up("a") == torch.ones(1)
    assert look_up("b") is look_up("b") is None
    assert [failure["key"] for failure in failures] == ["b"]
    with pytest.raises(UsageError):
        or_nothing(lambda key: (_ for _ in ()).throw(UsageError("wrong use")), failures)("a")


def test_an_image_that_went_away_is_told_with_its_reason():
    sample = {"failure": {"key": "a", "reason": "cannot read image: a.png (no such file)."}}
    lookup = Lookup(SimpleNamespace(sample=lambda key: sample), None, {})
    for look_up in (lookup.image, lookup.depth):
        with pytest.raises(ReadError, match=r"a\.png \(no such file\)"):
            look_up("a")


def test_truth_of_another_shape_is_not_stretched_over_the_labels():
    truth = SimpleNamespace(
        target_path=lambda key: key, target=lambda key: torch.zeros(4, 8, 2).long()
    )
    for size, fits in (((2, 4), True), ((8, 4), False)):
        store = SimpleNamespace(semantic=lambda key, size=size: torch.zeros(size))
        look_up = or_nothing(
            lambda key, store=store: ReportWriter()._target(truth, store, key), failures := []
        )
        assert (look_up("a") is not None) == fits
        assert len(failures) == (not fits)


class ByKey(Labeler):
    """Knows its images by their keys only, as labellers that go on from a store do."""

    def label_by_key(self, key, image, depth, wanted=()):
        semantic = torch.full(image.shape[-2:], int(key))
        return LabelRecord(semantic, torch.stack((semantic, semantic), dim=-1))


def test_a_labeller_that_knows_images_by_key_is_asked_by_key():
    sample = {"image": torch.zeros(3, 4, 8, dtype=torch.uint8)}
    look = Lookup(SimpleNamespace(sample=lambda key: sample), ByKey(), {})
    assert look.features("3") is None  # it made no observation, and the page is written without
    assert look.depth("3") is None
