import logging
import re
from types import SimpleNamespace

import pytest
import torch

from callbacks import run_estimate
from callbacks.run_estimate import RunEstimate, TrainingEstimate, in_words


@pytest.fixture
def clock(monkeypatch):
    """Every look at it is two seconds later than the one before."""
    times = iter(range(0, 100, 2))
    monkeypatch.setattr(run_estimate.time, "perf_counter", lambda: next(times))


def told(caplog, left, world_size=1):
    data = SimpleNamespace(images_left=lambda done: left - done, images_to_label=500)
    trainer = SimpleNamespace(is_global_zero=True, datamodule=data, world_size=world_size)
    batch = {"key": ["a"], "image": torch.zeros(1, 3, 1024, 2048)}
    estimate = RunEstimate()
    with caplog.at_level(logging.INFO, logger="relief"):
        for index in range(3):
            estimate.on_predict_batch_end(trainer, None, None, batch, index)
    return [record.getMessage() for record in caplog.records]


def test_the_second_image_tells_what_the_rest_takes(caplog, clock):
    (line,) = told(caplog, left=62, world_size=2)
    assert line == (
        "500 images to label: about 60 s (2.00 s an image in each pass) and 157 MB on the disk"
    )


def test_nothing_is_said_where_nothing_is_left(caplog, clock):
    assert told(caplog, left=2) == []


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.1, "1 s"), (89, "89 s"), (90, "2 min"), (7200, "2.0 h")]
)
def test_durations_are_for_people(seconds, words):
    assert in_words(seconds) == words


def told_of_training(caplog, steps=5, total=100, device="cpu"):
    trainer = SimpleNamespace(is_global_zero=True, estimated_stepping_batches=total)
    module, estimate = SimpleNamespace(device=torch.device(device)), TrainingEstimate()
    with caplog.at_level(logging.INFO, logger="relief"):
        for step in range(1, steps + 1):
            trainer.global_step = step
            estimate.on_train_batch_end(trainer, module, None, None, step - 1)
    return [record.getMessage() for record in caplog.records]


def test_the_third_step_tells_what_the_others_take(caplog, clock):
    (line,) = told_of_training(caplog)
    words = r"97 steps to go: about 3 min \(2.00 s a step\), measuring apart; \d+\.\d GiB of memory"
    assert re.fullmatch(words, line)


def test_the_memory_of_a_gpu_is_told(caplog, clock, monkeypatch):
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: 3 * 2**30)
    (line,) = told_of_training(caplog, device="cuda:0")
    assert line.endswith("; 3.0 GiB of GPU memory")


@pytest.mark.parametrize("total", [3, float("inf")])
def test_nothing_is_said_of_a_training_without_steps_left_or_end(caplog, clock, total):
    assert told_of_training(caplog, total=total) == []
