from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch

from datamodules.travel import on_device, pins_memory, small_ids


@pytest.mark.parametrize(
    ("least", "largest", "dtype"),
    [
        (-1, 127, torch.int8),
        (-1, 128, torch.int16),
        (-32768, 32767, torch.int16),
        (-1, 32768, torch.int32),
        (-32769, 0, torch.int32),
        (0, 26001 * 1000, torch.int32),
    ],
)
def test_ids_travel_as_the_smallest_integers_that_hold_them(least, largest, dtype):
    ids = torch.tensor([[least, largest]])
    small = small_ids(ids)
    assert small.dtype == dtype
    assert torch.equal(small.long(), ids)


def test_an_empty_map_is_small_too():
    assert small_ids(torch.zeros(0, 1, 1, dtype=torch.int64)).dtype == torch.int8


def test_images_and_ids_arrive_in_full_words():
    batch = {
        "image": torch.full((1, 3, 1, 1), 255, dtype=torch.uint8),
        "target": torch.tensor([[[[-1, 7]]]], dtype=torch.int16),
        "key": ["a"],
    }
    arrived = on_device(batch)
    assert arrived["image"].dtype == torch.float32
    assert arrived["image"].max() == 1
    assert arrived["target"].dtype == torch.int64
    assert arrived["target"].flatten().tolist() == [-1, 7]
    assert batch["target"].dtype == torch.int16


def test_memory_is_pinned_for_a_trainer_on_a_gpu_only(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    on_cpu = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    assert not pins_memory(on_cpu)
    assert not pins_memory(None)
    on_gpu = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("cuda", 1)))
    assert pins_memory(on_gpu)
