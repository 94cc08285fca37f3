import pytest
import torch

from relief.models.augmentations.paired_copy_paste import PairedCopyPaste
from relief.schema.errors import UsageError
from tests.contracts.augmentation import MOMENT, AugmentationContract, drawn_batch


class TestPairedCopyPaste(AugmentationContract):
    def augmentation(self):
        return PairedCopyPaste(scale=(0.9, 1.0))


def pair(confidence=(1.0, 1.0)):
    """A black image of one object at the right, and a white one of two at the left."""
    instance = torch.zeros(2, 32, 64, dtype=torch.int64)
    instance[0, 4:12, 52:60] = 1
    instance[1, 2:8, 2:8], instance[1, 20:28, 10:20] = 1, 2
    image = torch.zeros(2, 3, 32, 64)
    image[1] = 1.0
    sure = torch.zeros(2, 32, 64)
    sure[0][instance[0] == 1] = 1.0
    sure[1][instance[1] == 1], sure[1][instance[1] == 2] = confidence
    return {
        "image": image, "semantic": torch.where(instance > 0, 0, -1), "instance": instance,
        "confidence": sure, "classes": [torch.tensor([0]), torch.tensor([0, 0])],
        "key": ["a", "b"],
    }  # fmt: skip


def test_each_image_receives_from_the_other_end_of_the_batch():
    for seed in range(5):
        torch.manual_seed(seed)
        batch = PairedCopyPaste(scale=(0.5, 0.5))(pair(), MOMENT)
        assert len(batch["classes"][0]) in (1, 2)
        pasted = batch["instance"][0] == 2
        if pasted.any():  # the one object of the first image is as it was, the new one is white
            assert (batch["instance"][0] == 1).sum() == 64
            assert (batch["image"][0][:, pasted] == 1).all()
            assert (batch["semantic"][0][pasted] == 0).all()
        black = (batch["image"][1] == 0).all(dim=0)
        assert torch.equal(black, batch["instance"][1] == 3)
        assert black.sum() == 16  # half as high, half as wide


def test_only_the_surest_are_copied():
    for seed in range(8):
        torch.manual_seed(seed)
        part = PairedCopyPaste(scale=(1.0, 1.0), copied_fraction=0.5)
        batch = part(pair(confidence=(0.2, 0.9)), MOMENT)
        white = (batch["image"][0] == 1).all(dim=0)
        assert white.sum() in (0, 80)  # the second, 8 x 10, never the first, 6 x 6


def test_unsure_objects_are_pasted_half_transparent():
    torch.manual_seed(1)
    batch = PairedCopyPaste(scale=(1.0, 1.0), blends=True)(pair(confidence=(0.6, 0.6)), MOMENT)
    seen = batch["image"][0][:, batch["instance"][0] == 2]
    assert len(seen.flatten()) > 0
    torch.testing.assert_close(seen, torch.full_like(seen, 0.6))
    assert (batch["confidence"][0][batch["instance"][0] == 2] - 0.6).abs().max() < 1e-6


def test_what_would_cover_half_of_an_object_is_left_out():
    batch = pair()
    batch["instance"][0], batch["image"][0] = 0, 0.0
    batch["instance"][0, ::2] = 1  # an object everywhere: half of nothing fits beside it
    batch["instance"][1] = 1
    batch["classes"] = [torch.tensor([0]), torch.tensor([0])]
    torch.manual_seed(0)
    pasted = PairedCopyPaste(scale=(1.0, 1.0))(batch, MOMENT)
    assert torch.equal(pasted["instance"][0], batch["instance"][0])


def test_never_or_alone_changes_nothing():
    batch = pair()
    for part, given in ((PairedCopyPaste(rate=0.0), batch), (PairedCopyPaste(), drawn_batch(1))):
        torch.manual_seed(0)
        result = part(given, MOMENT)
        assert torch.equal(result["image"], given["image"])
        assert torch.equal(result["instance"], given["instance"])


def test_numbers_out_of_range_are_refused():
    with pytest.raises(UsageError, match="floor=-1"):
        PairedCopyPaste(floor=-1)
