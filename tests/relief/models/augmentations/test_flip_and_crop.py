import torch

from relief.models.augmentations.flip_and_crop import FlipAndCrop
from relief.schema.training import TrainingMoment
from tests.contracts.augmentation import AugmentationContract

MOMENT = TrainingMoment(step=0, predict=lambda image: None)


def painted_batch(number=4, height=64, width=128):
    """Red is the semantic map, green the object, so that the image tells what its labels are."""
    semantic = torch.zeros(number, height, width, dtype=torch.int64)
    semantic[:, :, width // 2 :] = 1
    semantic[:, height // 2 :] += 2
    semantic[:, :8] = -1
    instance = torch.zeros_like(semantic)
    instance[:, 20:44, 10:60] = 1
    instance[:, 30:60, 80:120] = 2
    image = torch.stack(((semantic + 1) / 5.0, instance / 5.0, torch.zeros(semantic.shape)), dim=1)
    classes = [torch.tensor([4, 7]) for _ in range(number)]
    return {
        "image": image, "semantic": semantic, "instance": instance, "classes": classes,
        "key": [str(n) for n in range(number)],
    }  # fmt: skip


def assert_painted(batch, share):
    """Labels are what the image shows at `share` of the pixels: edges are blurred in the image."""
    shown_semantic = (batch["image"][:, 0] * 5).round().long() - 1
    assert (shown_semantic == batch["semantic"]).float().mean() > share
    for image, instance, classes in zip(
        batch["image"], batch["instance"], batch["classes"], strict=True
    ):
        shown = (image[1] * 5).round().long()
        object_of = torch.tensor([0] + [{4: 1, 7: 2}[c] for c in classes.tolist()])
        assert (shown == object_of[instance]).float().mean() > share
        assert instance.unique().tolist() == list(range(len(classes) + 1))


def test_image_and_labels_move_together():
    torch.manual_seed(0)
    batch = painted_batch()
    cropped = FlipAndCrop((64, 128))(batch, MOMENT)
    assert_painted(cropped, 0.97)
    assert not torch.equal(cropped["instance"], batch["instance"])
    assert cropped["image"].shape == batch["image"].shape
    assert cropped["semantic"].dtype == cropped["instance"].dtype == torch.int64
    assert_painted(batch, 0.999)  # the batch given is untouched


def test_the_whole_image_is_kept_as_it_is():
    batch = painted_batch()
    kept = FlipAndCrop((64, 128), area=(1.0, 1.0), flip_probability=0.0)(batch, MOMENT)
    torch.testing.assert_close(kept["image"], batch["image"], atol=1e-4, rtol=0)
    assert torch.equal(kept["semantic"], batch["semantic"])
    assert torch.equal(kept["instance"], batch["instance"])


def test_mirrored():
    batch = painted_batch()
    mirrored = FlipAndCrop((64, 128), area=(1.0, 1.0), flip_probability=1.0)(batch, MOMENT)
    torch.testing.assert_close(mirrored["image"], batch["image"].flip(-1), atol=1e-4, rtol=0)
    assert torch.equal(mirrored["semantic"], batch["semantic"].flip(-1))
    assert torch.equal(mirrored["instance"], batch["instance"].flip(-1))


def test_objects_left_outside_are_dropped():
    torch.manual_seed(2)
    cropped = FlipAndCrop((16, 32), area=(0.05, 0.1))(painted_batch(16), MOMENT)
    numbers = [len(classes) for classes in cropped["classes"]]
    assert min(numbers) < 2
    assert cropped["image"].shape == (16, 3, 16, 32)
    for instance, number in zip(cropped["instance"], numbers, strict=True):
        assert instance.max() == number


def test_ids_beyond_eight_bits_survive():
    batch = painted_batch(1)
    batch["instance"] = torch.arange(64 * 128).reshape(1, 64, 128)
    batch["classes"] = [torch.arange(1, 64 * 128)]
    mirrored = FlipAndCrop((64, 128), area=(1.0, 1.0), flip_probability=1.0)(batch, MOMENT)
    assert torch.equal(mirrored["instance"], batch["instance"].flip(-1))


def test_crops_lie_anywhere_and_nothing_is_stretched():
    """Crops of another ratio than the image, as published, are mostly one stretched centre."""
    torch.manual_seed(0)
    batch = painted_batch(24)
    batch["image"][:, 0] = torch.arange(64)[:, None] / 127
    batch["image"][:, 1] = torch.arange(128) / 127
    cropped = FlipAndCrop((64, 128), area=(0.25, 0.75), flip_probability=0.0)(batch, MOMENT)
    rows, columns = cropped["image"][:, 0, :, 64], cropped["image"][:, 1, 32]
    down, across = rows[:, 40] - rows[:, 20], columns[:, 80] - columns[:, 60]
    torch.testing.assert_close(down, across, atol=2e-3, rtol=0.01)
    centres = torch.stack((rows[:, 32] - 0.25, columns[:, 64] - 0.5), dim=1)
    assert (centres.std(dim=0) > 0.03).all()
    assert (centres.abs().max(dim=1).values < 0.01).float().mean() < 0.2


class TestFlipAndCrop(AugmentationContract):
    def augmentation(self):
        return FlipAndCrop((64, 128))
