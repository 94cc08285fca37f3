from collections import Counter

import torch

from datamodules.step_batches import StepBatchSampler


def test_every_image_comes_once_before_any_comes_twice():
    sampler = StepBatchSampler(length=10, batch_size=4, num_batches=5, seed=1)
    batches = list(sampler)
    assert len(batches) == len(sampler) == 5
    flat = [index for batch in batches for index in batch]
    assert Counter(flat[:10]) == Counter(flat[10:]) == Counter(range(10))
    assert flat[:10] != flat[10:]
    assert flat[:10] != list(range(10))


def test_a_resumed_sampler_goes_on_where_it_was():
    whole = list(StepBatchSampler(7, 3, num_batches=9, seed=2))
    resumed = StepBatchSampler(7, 3, num_batches=9, seed=2, first_batch=4)
    assert list(resumed) == whole[4:]
    assert len(resumed) == 9  # Lightning counts from the start


def test_ranks_share_the_images():
    one = [i for batch in StepBatchSampler(8, 4, num_batches=4, seed=3) for i in batch]
    two = [list(StepBatchSampler(8, 2, 4, seed=3, rank=rank, world_size=2)) for rank in (0, 1)]
    together = [i for first, second in zip(*two, strict=True) for i in (*first, *second)]
    assert together == one


def test_more_in_a_batch_than_there_are():
    (batch,) = StepBatchSampler(2, 5, num_batches=1, seed=0)
    assert Counter(batch[:2]) == Counter(batch[2:4]) == Counter((0, 1))


def test_images_are_drawn_for_one_class_after_the_other():
    probabilities = torch.tensor([[0.0, 1.0, 0.0], [0.5, 0.0, 0.5]])
    whole = list(StepBatchSampler(3, 2, 200, seed=1, probabilities=probabilities))
    assert {first for first, _ in whole} == {1}
    drawn = Counter(second for _, second in whole)
    assert set(drawn) == {0, 2}
    assert abs(drawn[0] - drawn[2]) < 60
    rest = StepBatchSampler(3, 2, 200, seed=1, first_batch=150, probabilities=probabilities)
    assert list(rest) == whole[150:]


def test_the_surest_images_come_first_and_all_come_later():
    ranked = [7, 3, 1, 0, 2, 4, 5, 6]
    whole = list(StepBatchSampler(8, 4, 40, seed=1, surest_first=ranked))
    assert {index for batch in whole[:2] for index in batch} == {7, 3}
    assert {index for batch in whole[8:10] for index in batch} <= {7, 3, 1, 0, 2}
    late = Counter(index for batch in whole[20:] for index in batch)
    assert set(late) == set(range(8))
    resumed = list(StepBatchSampler(8, 4, 40, seed=1, first_batch=13, surest_first=ranked))
    assert resumed == whole[13:]
