import numpy as np
import pytest
import torch
from PIL import Image

from datamodules.image_folder import ImageFolder
from datamodules.items import NOTHING, Item, ItemDataset, ShardSampler, collate
from relief.formats.depth_files import FolderDepth
from relief.formats.label_run import LabelRun
from relief.schema.errors import UsageError


def write_image(path, size=(6, 8), value=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), value, np.uint8)).save(path)


@pytest.mark.parametrize("length", [0, 1, 2, 7, 8])
@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_every_index_is_on_exactly_one_rank_and_ranks_are_equally_long(length, world_size):
    shards = [list(ShardSampler(length, rank, world_size)) for rank in range(world_size)]
    real = [index for shard in shards for index in shard if index != NOTHING]
    assert sorted(real) == list(range(length))
    assert len({len(shard) for shard in shards}) == 1
    assert len(shards[0]) == len(ShardSampler(length, 0, world_size)) >= 1


def test_unreadable_images_become_failures_and_the_others_are_kept(tmp_path):
    write_image(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"<html>not an image</html>")
    items = ImageFolder(str(tmp_path)).items()
    dataset = ItemDataset(items, None, with_targets=False)
    batch = collate([dataset[0], dataset[1], dataset[NOTHING]])
    assert batch["key"] == ["a"]
    assert batch["image"].shape == (1, 3, 6, 8)
    assert batch["image"].dtype == torch.uint8
    assert [failure["key"] for failure in batch["failures"]] == ["b"]
    assert "b.png" in batch["failures"][0]["reason"]


def test_long_names_of_any_bytes_can_be_told_of(tmp_path):
    for name in ("\udcdf" * 100 + ".png", "c" * 251 + ".png", "c" * 251 + ".jpg"):
        write_image(tmp_path / "images" / name)
    data = ImageFolder(str(tmp_path / "images"), depth=FolderDepth(tmp_path / "depth"))
    items = data.items()
    dataset, run = ItemDataset(items, None, with_targets=False), LabelRun(tmp_path / "out")
    read = [dataset[index] for index in range(3)]
    assert [sample.get("key", "")[:200] for sample in read] == ["c" * 200, "c" * 200, ""]
    assert "its name is not UTF-8" in read[2]["failure"]["reason"]
    assert len({item.key for item in items}) == 3
    for item in items:
        run.record_failure({"key": item.key, "reason": "told"})
    assert run.count([item.key for item in items]) == 0


def test_missing_depth_is_a_failure_of_that_image(tmp_path):
    for name in ("a", "b"):
        write_image(tmp_path / "images" / f"{name}.png")
    (tmp_path / "depth").mkdir()
    np.save(tmp_path / "depth" / "a.npy", np.full((6, 8), 0.5, np.float32))
    depth = FolderDepth(tmp_path / "depth")
    data = ImageFolder(str(tmp_path / "images"), depth=depth)
    dataset = ItemDataset(data.items(), depth, with_targets=False)
    batch = collate([dataset[0], dataset[1]])
    assert batch["key"] == ["a"]
    assert batch["depth"].shape == (1, 1, 6, 8)
    assert "depth is missing: b" in batch["failures"][0]["reason"]


def test_depth_of_another_shape_is_a_failure(tmp_path):
    write_image(tmp_path / "images" / "a.png")
    (tmp_path / "depth").mkdir()
    np.save(tmp_path / "depth" / "a.npy", np.full((8, 6), 0.5, np.float32))
    depth = FolderDepth(tmp_path / "depth")
    data = ImageFolder(str(tmp_path / "images"), depth=depth)
    sample = ItemDataset(data.items(), depth, with_targets=False)[0]
    assert "another shape" in sample["failure"]["reason"]


def test_a_batch_of_failures_only_is_empty():
    batch = collate([{"failure": {"key": "a", "reason": "cut"}}, {}])
    assert batch["image"].shape[0] == 0
    assert batch["key"] == []


def test_images_of_different_sizes_do_not_stack(tmp_path):
    write_image(tmp_path / "a.png", (6, 8))
    write_image(tmp_path / "b.png", (8, 6))
    dataset = ItemDataset(ImageFolder(str(tmp_path)).items(), None, with_targets=False)
    with pytest.raises(UsageError, match="batch_size 1"):
        collate([dataset[0], dataset[1]])


def test_a_folder_that_was_not_named_says_what_to_type():
    with pytest.raises(UsageError, match=r"--data\.init_args\.root DIR"):
        ImageFolder().items()


def test_images_arrive_as_floats_on_the_device(tmp_path):
    write_image(tmp_path / "a.png", value=51)
    data = ImageFolder(str(tmp_path))
    data.begin("label", data.items())
    batch = next(iter(data.predict_dataloader()))
    moved = data.on_after_batch_transfer(batch, 0)
    assert moved["image"].dtype == torch.float32
    assert torch.allclose(moved["image"], torch.tensor(0.2))


def test_depth_of_two_resolutions_in_one_batch_is_told():
    image = torch.zeros(3, 4, 8, dtype=torch.uint8)
    samples = [
        {"key": key, "image": image, "depth": torch.zeros(1, *size)}
        for key, size in (("a", (4, 8)), ("b", (2, 4)))
    ]
    with pytest.raises(UsageError, match=r"depth maps differ in size: a, b\. Set .* 1\."):
        collate(samples)
    samples = [
        {"key": key, "image": image, "target": torch.zeros(*size, 2, dtype=torch.int64)}
        for key, size in (("a", (4, 8)), ("b", (2, 4)))
    ]
    with pytest.raises(UsageError, match=r"ground truth maps differ in size: a, b\. Set .* 1\."):
        collate(samples)


def test_depth_beside_the_photographs_is_no_photograph(tmp_path):
    write_image(tmp_path / "a.jpg")
    Image.fromarray(np.zeros((6, 8), np.uint16)).save(tmp_path / "a.png")
    write_image(tmp_path / "b.png")
    items = ImageFolder(str(tmp_path), depth=FolderDepth(tmp_path)).items()
    paths = [(item.key, item.depth_path) for item in items]
    assert paths == [("a.jpg", str(tmp_path / "a.png")), ("b", None)]
    (tmp_path / "linked").symlink_to(tmp_path)
    depth = FolderDepth(tmp_path / "linked")  # the same folder under another name
    items = ImageFolder(str(tmp_path), depth=depth).items()
    assert [item.depth_path for item in items] == [str(tmp_path / "linked" / "a.png"), None]


def test_ground_truth_of_another_shape_is_a_failure(tmp_path):
    write_image(tmp_path / "a.png")
    turned = Item("a", tmp_path / "a.png", "a.png", target=lambda: torch.zeros(8, 6, 2).long())
    sample = ItemDataset([turned], None, with_targets=True)[0]
    assert (
        "labels have another shape than their image: a (8x6, image 6x8)"
        in (sample["failure"]["reason"])
    )
