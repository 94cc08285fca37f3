import shutil
from types import SimpleNamespace

import pytest
import torch
from torch.utils.data import DataLoader

from datamodules.shared_memory import refuse_small_shared_memory
from relief.schema.errors import UsageError

MEGABYTE = 1_000_000


class Samples:
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return {"key": "a", "image": torch.zeros(MEGABYTE, dtype=torch.uint8)}


@pytest.fixture
def docker(monkeypatch, tmp_path):
    """A file system of 64 MB, as docker gives it."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=64 * MEGABYTE))
    return tmp_path


def test_batches_that_do_not_fit_are_told_with_both_sizes(docker):
    loader = DataLoader(Samples(), num_workers=4)
    refuse_small_shared_memory(loader, batch_size=8, folder=docker)  # 4 x 2 x 8 MB
    told = r"^shared memory is too small: .* has 64 MB free, 8 reading processes hold up to 128 MB"
    with pytest.raises(UsageError, match=told) as caught:
        refuse_small_shared_memory(loader, batch_size=8, processes=2, folder=docker)
    assert "\n" not in str(caught.value)


def test_nothing_is_asked_without_reading_processes_or_shared_memory(docker):
    refuse_small_shared_memory(DataLoader(Samples()), 1000, folder=docker)
    loader = DataLoader(Samples(), num_workers=4)
    refuse_small_shared_memory(loader, 1000, folder=docker / "none")
