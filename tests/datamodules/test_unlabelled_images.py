from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from datamodules.unlabelled_images import UnlabelledImages
from relief.schema.errors import ReadError, UsageError


def draw(path, shade, size=(32, 64)):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((*size, 3), shade, np.uint8))


@pytest.fixture
def root(tmp_path):
    """Three train and two val images, one of the latter with ground truth."""
    for split, count in (("train", 3), ("val", 2)):
        for number in range(count):
            name = f"a_{number:06d}_000019_leftImg8bit.png"
            draw(tmp_path / "leftImg8bit" / split / "a" / name, 50 * (number + 1))
    truth = tmp_path / "gtFine" / "val" / "a" / "a_000001_000019_gtFine_instanceIds.png"
    truth.parent.mkdir(parents=True)
    cv2.imwrite(str(truth), np.full((32, 64), 7, np.uint16))
    return tmp_path


def ready(root, steps=4, first=0, **options):
    options = {"size": (16, 32), "batch_size": 2, "num_workers": 0} | options
    data = UnlabelledImages(str(root), **options)
    data.setup("fit")
    data.trainer = SimpleNamespace(
        max_steps=steps,
        accumulate_grad_batches=1,
        global_rank=0,
        world_size=1,
        global_step=first,
        num_devices=1,
        state=SimpleNamespace(fn="fit"),
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
    )
    return data


def batches(data):
    for batch in data.train_dataloader():
        yield data.on_after_batch_transfer(data.on_before_batch_transfer(batch, 0), 0)


def test_batches_are_images_and_keys(root):
    data = ready(root)
    shade = {f"a/a_{n:06d}_000019": 50 * (n + 1) / 255 for n in range(3)}
    seen = []
    for batch in batches(data):
        assert batch["image"].shape == (2, 3, 16, 32)
        assert batch["image"].dtype == torch.float32
        for key, image in zip(batch["key"], batch["image"], strict=True):
            assert torch.allclose(image, torch.tensor(shade[key]))
        seen += batch["key"]
    assert set(seen[:3]) == set(seen[3:6]) == set(shade)


def test_a_resumed_run_reads_what_is_left(root):
    whole = [batch["key"] for batch in batches(ready(root))]
    assert [batch["key"] for batch in batches(ready(root, first=3))] == whole[3:]


def test_other_frames_and_the_first_ones(root):
    draw(root / "leftImg8bit_sequence" / "train" / "b" / "b_000000_000001_leftImg8bit.png", 9)
    frames = ready(root, images="leftImg8bit_sequence", batch_size=1, steps=1)
    assert [batch["key"] for batch in batches(frames)] == [["b/b_000000_000001"]]
    assert len(ready(root, limit=2).training_set()) == 2


def test_validation_has_what_there_is_of_ground_truth(root):
    (batch,) = ready(root).val_dataloader()
    assert batch["key"] == ["a/a_000001_000019"]
    assert batch["image"].shape == (1, 3, 32, 64)
    assert (batch["target"][..., 0] == 0).all()  # road
    assert batch["target"].dtype == torch.int8


def test_any_folder_measures_nothing(tmp_path):
    draw(tmp_path / "one.png", 10)
    draw(tmp_path / "deep" / "two.jpg", 20, size=(50, 20))
    data = ready("", folder=str(tmp_path), steps=1)
    (batch,) = batches(data)
    assert sorted(batch["key"]) == ["deep/two", "one"]
    assert data.val_dataloader() == []


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"root": ""}, r"^no images given: data\.root is empty\."),
        ({"root": "nowhere"}, r"^no images found: data\.root=nowhere "),
        ({"root": "", "folder": "nowhere"}, r"^no such folder: data\.folder=nowhere\."),
    ],
)
def test_nothing_to_train_on(options, line):
    with pytest.raises(UsageError, match=line):
        ready(**options)


def test_an_unreadable_image_stops_with_its_line(root):
    path = root / "leftImg8bit" / "train" / "a" / "a_000001_000019_leftImg8bit.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ReadError, match=r"^cannot read image: .*a_000001_000019"):
        list(batches(ready(root)))


class Predicted:
    """Predictions in which image n holds n pixels of category 1, the rest of 0."""

    num_categories, thing_ids = 3, None

    def __init__(self, keys):
        self.keys = keys

    def semantic(self, key):
        ids = torch.zeros(2, 4, dtype=torch.int64)
        ids.view(-1)[: self.keys.index(key)] = 1
        ids[1, 3] = -1
        return ids


def test_images_are_drawn_by_what_a_network_sees_in_them(root):
    keys = [item.key for item in ready(root).items]
    data = ready(root, balanced_by=Predicted(keys))
    expected = 0.25 / 3 + 0.75 * torch.tensor([0.0, 1 / 3, 2 / 3]).double()
    torch.testing.assert_close(data.sampling()[1], expected)
    torch.testing.assert_close(data.sampling()[2], torch.full((3,), 1 / 3).double())  # never seen
    assert len(list(batches(data))) == 4
    with pytest.raises(UsageError, match=r"^1 of 3 images have no predictions in balanced_by"):
        ready(root, balanced_by=Predicted(keys[:2])).sampling()


def test_a_share_of_the_validation_is_measured_while_a_training_runs(root):
    data = ready(root, validation_share=0.5)
    data.validation = SimpleNamespace(
        keys=list("abcde"), target_path=lambda key: root, image_path=lambda key: root / key,
        target=lambda key: None,
    )  # fmt: skip
    assert [item.key for item in data.val_dataloader().dataset.items] == ["a", "b", "d"]
    data.trainer.state.fn = "validate"
    assert len(data.val_dataloader()) == 5
    with pytest.raises(UsageError, match=r"validation_share=0: expected a number in \(0, 1\]"):
        ready(root, validation_share=0)
