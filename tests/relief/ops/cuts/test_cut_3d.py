import numpy as np
import pytest
import torch

from relief.ops.cuts import cut_3d
from relief.ops.cuts.cut_3d import CutSettings, extract
from relief.ops.cuts.normalized_cut import Bisection, FoundMask, mask_cut
from relief.schema.errors import ReadError
from tests.relief.ops.cuts.golden import scene, scenes


@pytest.mark.parametrize("name", scenes("c"))
def test_objects_are_the_reference(name):
    golden = scene("c", name)
    masks, confidence = extract(golden["features"], golden["depth"], int(golden["rounds"]))
    assert torch.equal(masks, golden["mask"])
    torch.testing.assert_close(confidence, golden["confidence"], atol=1e-6, rtol=0)


def test_depth_of_another_size_is_brought_to_the_grid():
    golden = scene("c", "two_classes")
    large = golden["depth"].repeat_interleave(4, 0).repeat_interleave(4, 1)
    masks, _ = extract(golden["features"], large, 2)
    assert torch.equal(masks, golden["mask"])


def test_without_depth_it_is_mask_cut():
    golden = scene("m", "three_blobs")
    masks, confidence = extract(golden["features"], None)
    expected = mask_cut(golden["features"])
    assert torch.equal(masks, expected[expected.flatten(1).any(1)])
    assert torch.equal(confidence > 0, masks)
    assert set(confidence.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize(
    "settings",
    [
        CutSettings(importance=False),
        CutSettings(direction="suppress"),
        CutSettings(threshold_means="flat"),
        CutSettings(foreground="component"),
        CutSettings(cut="component", background=False),
        CutSettings(binarise=False),
        CutSettings(exclude_taken=True),
    ],
)
def test_every_reading_gives_objects_that_share_no_patch(settings):
    golden = scene("c", "two_people_one_class")
    masks, confidence = extract(golden["features"], golden["depth"], 3, settings)
    assert len(masks) >= 1
    assert int(masks.sum(0).max()) == 1
    assert torch.equal(confidence * masks, confidence)
    assert 0 <= float(confidence.min()) <= float(confidence.max()) <= 1


def test_the_flat_threshold_is_the_threshold_to_the_power_of_flat_depth():
    golden = scene("c", "two_classes")
    flat = CutSettings(threshold_means="flat", beta=0.45)
    literal = CutSettings(threshold=0.15**0.55, beta=0.45)
    for found, expected in zip(
        extract(golden["features"], golden["depth"], 2, flat),
        extract(golden["features"], golden["depth"], 2, literal),
        strict=True,
    ):
        assert torch.equal(found, expected)


def test_images_with_nothing_to_cut_have_no_object():
    for features in (torch.ones(4, 8, 8), torch.rand(4, 3, 5)):
        masks, confidence = extract(features, torch.rand(features.shape[1:]))
        assert masks.shape == confidence.shape == (0, *features.shape[1:])
    with pytest.raises(ReadError, match="not finite"):
        extract(torch.rand(4, 8, 8), torch.full((8, 8), torch.inf))


def test_an_object_is_not_sure_of_what_an_earlier_one_took(monkeypatch):
    def nested(affinity, size, num_masks, object_of, *args, **options):
        found = []
        for side in (3, 5):
            foreground = np.zeros(size, bool)
            foreground[:side, :side] = True
            cut = Bisection(np.zeros(64), foreground, 0, 63, exhausted=False)
            found.append(FoundMask(cut, object_of(cut, np.zeros(size, bool))))
        return found

    monkeypatch.setattr(cut_3d, "iterate", nested)
    settings = CutSettings(max_distance=0.3)
    masks, confidence = extract(
        torch.rand(4, 8, 8), torch.linspace(0, 1, 64).reshape(8, 8), 2, settings
    )
    assert masks.flatten(1).sum(1).tolist() == [9, 16]
    assert not confidence[1][masks[0]].any()
    assert (confidence[1][masks[1]] > 0).all()
