from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from datamodules.label_classes import decide_classes
from datamodules.pseudo_labels import PseudoLabels
from relief.formats.cups import CupsLabels, write_cups
from relief.models.augmentations.flip_and_crop import FlipAndCrop
from relief.models.criteria.sure_labels import SureLabels
from relief.ops.objects.pseudo_targets import InsideShare, NormalisedInsideShare
from relief.schema.errors import ReadError, UsageError
from relief.schema.training import TrainingMoment

ROAD, SKY, CAR, TRUCK = range(4)


class MemoryLabels:
    """Any label format, as far as training sees it."""

    num_categories = 4

    def __init__(self, maps, thing_ids=(CAR, TRUCK)):
        self.maps, self.thing_ids = maps, thing_ids
        self.keys = sorted(maps)

    def semantic(self, key):
        return self.maps[key][..., 0]

    def panoptic(self, key):
        if self.maps[key] is None:
            raise ReadError(f"cannot read label: {key}.png (file is truncated). Make it again.")
        return self.maps[key]


def panoptic(height=32, width=64, cars=1):
    category = torch.full((height, width), ROAD)
    category[: height // 2] = SKY
    instance = torch.zeros_like(category)
    for number in range(cars):
        side = height // 8
        top, left = height // 2, (2 * number + 1) * side
        category[top : top + side, left : left + side] = CAR
        instance[top : top + side, left : left + side] = number + 1
    return torch.stack((category, instance), dim=-1)


@pytest.fixture
def root(tmp_path):
    """Three images whose brightness is their number."""
    for number, name in enumerate(("a_000000_000019", "a_000001_000019", "b_000000_000019")):
        folder = tmp_path / "leftImg8bit" / "train" / name[0]
        folder.mkdir(parents=True, exist_ok=True)
        image = np.full((64, 128, 3), 50 * (number + 1), np.uint8)
        cv2.imwrite(str(folder / f"{name}_leftImg8bit.png"), image)
    return tmp_path


KEYS = ["a/a_000000_000019", "a/a_000001_000019", "b/b_000000_000019"]


def ready(root, labels, **options):
    data = PseudoLabels(str(root), labels, size=(32, 64), num_workers=0, batch_size=2, **options)
    data.setup("fit")
    return data


def samples(data):
    on_cpu = SimpleNamespace(root_device=torch.device("cpu"))
    data.trainer = SimpleNamespace(
        max_steps=3, accumulate_grad_batches=1, global_rank=0, world_size=1, global_step=0,
        strategy=on_cpu, num_devices=1,
    )  # fmt: skip
    for batch in data.train_dataloader():
        batch = data.on_before_batch_transfer(batch, 0)
        yield data.on_after_batch_transfer(batch, 0)


def test_images_and_labels_meet_by_key_never_by_position(root):
    """The store lacks the first image, has one too many, and is in another order."""
    maps = {KEYS[2]: panoptic(cars=3), "z/unknown": panoptic(), KEYS[1]: panoptic(cars=2)}
    data = ready(root, MemoryLabels(maps))
    cars_by_brightness = {}
    for batch in samples(data):
        for index in range(2):
            shade = round(batch["image"][index].mean().item() * 255)
            cars_by_brightness[shade] = len(batch["classes"][index])
    assert cars_by_brightness == {100: 2, 150: 3}


def test_a_batch_travels_with_five_bytes_a_pixel(root):
    """66 MB for 16 images of 640x1280; with maps of int64 it was 249 MB."""
    data = ready(root, MemoryLabels({key: panoptic(cars=3) for key in KEYS}))
    dataset = data.training_set()
    batch = data.join_samples([dataset[0], dataset[1]])
    maps = [batch[name] for name in ("image", "category", "instance")]
    assert sum(map_.nbytes for map_ in maps) == 5 * 2 * 32 * 64
    arrived = data.on_after_batch_transfer(batch, 0)
    assert arrived["semantic"].dtype == arrived["instance"].dtype == torch.int64
    assert torch.equal(arrived["instance"][0], panoptic(cars=3)[..., 1])


def test_labels_of_another_resolution(root):
    maps = {key: panoptic(160, 320, cars=2) for key in KEYS}
    data = ready(root, MemoryLabels(maps))
    for batch in samples(data):
        assert batch["image"].shape == (2, 3, 32, 64)
        assert batch["semantic"].shape == batch["instance"].shape == (2, 32, 64)
        expected = torch.where(panoptic(cars=2)[..., 1] > 0, 0, panoptic()[..., 0] + 1)
        assert torch.equal(batch["semantic"][0], expected)


def test_more_than_255_instances_and_void_images_train(root):
    many = panoptic(64, 128, cars=0)
    many[32:, :, 0] = CAR
    many[32:, :, 1] = torch.arange(32 * 128).reshape(32, 128) + 1
    void = torch.stack((torch.full((32, 64), -1), torch.zeros(32, 64, dtype=torch.int64)), -1)
    data = ready(root, MemoryLabels({KEYS[0]: many, KEYS[1]: void, KEYS[2]: panoptic()}))
    numbers = set()
    for batch in samples(data):
        for semantic, instance, classes in zip(
            batch["semantic"], batch["instance"], batch["classes"], strict=True
        ):
            numbers.add(len(classes))
            assert instance.max() == len(classes)
            assert (semantic == -1).all() == (instance.max() == 0)
    assert numbers == {1024, 0, 1}


def test_images_without_instances_can_be_dropped(root):
    labels = MemoryLabels({KEYS[0]: panoptic(cars=0), KEYS[1]: panoptic(), KEYS[2]: panoptic()})
    assert len(ready(root, labels)._items) == 3
    assert [item.key for item in ready(root, labels, keep_empty=False)._items] == KEYS[1:]


def test_cups_files_of_another_resolution_decide_things_by_their_instances(root, tmp_path):
    folder = tmp_path / "cups"
    write_cups(folder, MemoryLabels({key: panoptic(80, 160, cars=2) for key in KEYS}))
    data = ready(root, CupsLabels(folder))
    assert data.classes.things == (CAR,)
    assert data.classes.stuff == (ROAD, SKY, TRUCK)
    assert data.label_origin.supervision == ()
    (folder / "a_000001_000019_leftImg8bit_instance.png").unlink()
    assert [item.key for item in ready(root, CupsLabels(folder))._items] == [KEYS[0], KEYS[2]]
    published = ready(root, CupsLabels(folder), thing_rule=NormalisedInsideShare())
    assert published.classes.things == (CAR,)


def test_an_empty_side_stops_with_the_figures(root):
    labels = MemoryLabels({key: panoptic(cars=0) for key in KEYS}, thing_ids=None)
    with pytest.raises(UsageError, match=r"no things among 4 categories.*0: 0\.00"):
        ready(root, labels)


def test_no_image_with_labels(root):
    with pytest.raises(UsageError, match=r"no image has labels: .*\(3 images, 1 labels"):
        ready(root, MemoryLabels({"z/unknown": panoptic()}))


def test_an_unreadable_label_stops_with_its_line(root):
    data = ready(root, MemoryLabels({KEYS[0]: None, KEYS[1]: panoptic(), KEYS[2]: panoptic()}))
    with pytest.raises(ReadError, match=r"^cannot read label: a/a_000000_000019\.png"):
        list(samples(data))


def test_labels_of_another_shape_stop(root):
    data = ready(root, MemoryLabels(dict.fromkeys(KEYS, panoptic(64, 64))))
    with pytest.raises(ReadError, match="labels have another shape than their image"):
        list(samples(data))


def test_kept_in_memory_gives_the_same(root):
    labels = MemoryLabels({key: panoptic(cars=n + 1) for n, key in enumerate(KEYS)})
    plain, kept = (list(samples(ready(root, labels, keep_in_memory=k))) for k in (False, True))
    for one, two in zip(plain, kept, strict=True):
        assert one["key"] == two["key"]
        assert torch.equal(one["image"], two["image"])
        assert torch.equal(one["instance"], two["instance"])


def test_labels_without_any_object_are_told(caplog):
    class Empty:
        keys, num_categories, thing_ids = ("a", "b"), 3, (1,)

        def panoptic(self, key):
            return torch.zeros(2, 2, 2, dtype=torch.int64)

    with caplog.at_level("WARNING", logger="relief"):
        decide_classes(["a", "b"], Empty(), InsideShare(), keep_empty=True)
    assert "no object in any of 2 images to learn from" in caplog.text


def test_labels_without_classes_are_all_things():
    labels = MemoryLabels({"a": torch.zeros(4, 4, 2, dtype=torch.int64)}, thing_ids=(0,))
    labels.num_categories = 1
    _, classes = decide_classes(["a"], labels, InsideShare(), keep_empty=True)
    assert (classes.things, classes.stuff) == ((0,), ())


class SureOfCars(MemoryLabels):
    """Labels that are 0.9 sure of cars and 0.3 of all else."""

    def confidence(self, key):
        return torch.where(self.maps[key][..., 1] > 0, 0.9, 0.3)


def test_confidence_of_labels_reaches_the_criterion_through_crops_and_flips(root):
    data = ready(root, SureOfCars({key: panoptic(64, 128, cars=3) for key in KEYS}))
    augment = FlipAndCrop((32, 64), area=(0.4, 0.8))
    seen = []
    torch.manual_seed(0)
    criterion = SureLabels(lambda network, batch, moment: seen.append(batch) or {}, 0.6)
    for step, batch in enumerate(samples(data)):
        moved = augment(batch, TrainingMoment(step, predict=lambda image: {}))
        expected = torch.where(moved["instance"] > 0, 0.9, 0.3)
        assert ((moved["confidence"] - expected).abs() < 0.02).float().mean() > 0.9
        assert not torch.equal(moved["instance"], batch["instance"])
        criterion(None, moved, None)
        kept = seen[-1]["semantic"] >= 0
        assert kept.any()
        assert (kept == (moved["confidence"] >= 0.6)).all()


def test_the_surest_images_come_first(root):
    labels = SureOfCars({key: panoptic(cars=n + 1) for n, key in enumerate(KEYS)})
    assert ready(root, labels).surest_images() is None
    data = ready(root, labels, surest_first=True)
    assert data.surest_images() == [2, 1, 0]
    keys = [key for batch in samples(data) for key in batch["key"]]
    assert keys[:2] == [KEYS[2]] * 2
    with pytest.raises(UsageError, match="surest_first asks how sure labels are"):
        ready(root, MemoryLabels(labels.maps), surest_first=True).surest_images()
