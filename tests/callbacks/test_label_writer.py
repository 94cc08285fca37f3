import os
from types import SimpleNamespace

import pytest
import torch

from callbacks.label_writer import LabelWriter, share_of_cores
from relief.formats.label_store import LabelStore, write_manifest
from relief.schema.errors import UsageError
from relief.schema.manifest import Manifest
from relief.schema.observation import LabelRecord
from tests.fake_cuda import FakeCuda, on

KEYS = ("a/one", "b/two")


def begun(tmp_path):
    images = dict.fromkeys(KEYS, "pending")
    manifest = Manifest(k=3, thing_ids=(1,), groups=(-1, 0, -1), images=images)
    write_manifest(tmp_path, manifest)
    data = SimpleNamespace(current_pass="shard", shard_folder=tmp_path, on_error="record")
    strategy = SimpleNamespace(barrier=lambda name: None)
    trainer = SimpleNamespace(
        datamodule=data, default_root_dir=tmp_path, num_devices=1, strategy=strategy,
        is_global_zero=True,
    )  # fmt: skip
    return trainer, lambda device: SimpleNamespace(
        manifest=lambda inputs: manifest, device=torch.device(device)
    )


def write(writer, trainer, module, records):
    writer.on_predict_start(trainer, module)
    prediction = {"key": list(KEYS), "records": records, "failures": []}
    writer.write_on_batch_end(trainer, module, prediction, None, None, 0, 0)


def drawn_records():
    generator = torch.Generator().manual_seed(0)
    maps = torch.randint(-1, 3, (2, 16, 32), generator=generator)
    instance = torch.where(maps == 1, 4, 0)
    return [
        LabelRecord(one, torch.stack((one, i), -1)) for one, i in zip(maps, instance, strict=True)
    ]


def test_labels_of_a_device_are_written_without_waiting_for_it(tmp_path):
    trainer, module = begun(tmp_path)
    with FakeCuda() as device:
        writer = LabelWriter(num_threads=2)
        write(writer, trainer, module("cuda:0"), on("cuda", drawn_records()))
        writer.on_predict_end(trainer, module("cuda:0"))
        assert all(line.startswith("relief/ops/host_copy.py:") for line in device.waits)
        assert device.waits.total() == len(KEYS)  # in the writing threads
    store = LabelStore(tmp_path)
    for key, record in zip(KEYS, drawn_records(), strict=True):
        assert torch.equal(store.semantic(key), record.semantic)
        assert torch.equal(store.panoptic(key), record.panoptic)


@pytest.mark.parametrize(
    ("cores", "processes", "threads"), [(1, 1, 2), (16, 1, 16), (96, 8, 12), (96, 1, 16)]
)
def test_writers_share_the_cores_of_the_machine(monkeypatch, cores, processes, threads):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)), raising=False)
    assert share_of_cores(processes) == threads


def test_no_thread_is_refused():
    with pytest.raises(UsageError, match="num_threads=0"):
        LabelWriter(num_threads=0)
