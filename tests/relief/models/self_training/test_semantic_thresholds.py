import math
import socket
from itertools import pairwise

import pytest
import torch
import torch.multiprocessing as mp

from relief.models.self_training.semantic_thresholds import ClassAdaptiveThreshold, ShareOfMaximum


def row(*pixels):
    """One image of one row: the probabilities of each pixel."""
    return torch.tensor(pixels).T[None, :, None, :]


def classes_of(threshold, *pixels):
    return threshold(row(*pixels))[0, 0].tolist()


def test_a_share_of_the_maximum_of_image_and_class():
    pixels = ((0.8, 0.2, 0.0), (0.5, 0.5, 0.0), (0.3, 0.1, 0.6), (0.4, 0.25, 0.35))
    # thresholds 0.4, 0.25, 0.3: at the last pixel 0.4 and 0.25 are not above theirs, 0.35 is
    assert classes_of(ShareOfMaximum(0.5), *pixels) == [0, 0, 2, 2]
    # thresholds 0.72, 0.45, 0.54: the second pixel goes to the survivor, the last to nobody
    assert classes_of(ShareOfMaximum(0.9), *pixels) == [0, 1, 2, -1]
    assert classes_of(ShareOfMaximum(1.0), *pixels) == [-1, -1, -1, -1]


def test_of_equal_survivors_the_first_is_taken():
    assert classes_of(ShareOfMaximum(0.5), (0.5, 0.5), (0.5, 0.5)) == [0, 0]


def test_a_rare_class_survives_where_it_is_not_the_most_probable():
    """As published: 0.6 of class 0 is not above its threshold, 0.1 of class 1 is."""
    assert classes_of(ShareOfMaximum(0.6), (1.0, 0.0), (0.6, 0.1)) == [0, 1]


def test_a_class_that_is_absent_never_survives():
    assert classes_of(ShareOfMaximum(0.0), (1.0, 0.0), (0.7, 0.3)) == [0, 0]
    found = ShareOfMaximum(0.5)(torch.tensor([[[[1.0]], [[0.0]]], [[[0.4]], [[0.6]]]]))
    assert found.flatten().tolist() == [0, 1]  # every image for itself
    assert found.dtype == torch.int64


def test_the_prior_moves_before_it_is_used():
    threshold = ClassAdaptiveThreshold()
    pixels = ((0.9, 0.1, 0.0), (0.6, 0.4, 0.0))
    threshold(row(*pixels))
    assert threshold.prior.tolist() == pytest.approx([0.75, 0.25, 0.0])  # first seen: the mean
    threshold(row((0.5, 0.25, 0.25), (0.5, 0.25, 0.25)))
    expected = [0.99 * 0.75 + 0.01 * 0.5, 0.25, 0.25]  # class 2 is seen for the first time
    assert threshold.prior.tolist() == pytest.approx(expected)


def test_a_frequent_class_needs_the_share_of_its_maximum():
    threshold = ClassAdaptiveThreshold(share=0.75, floor=0.2)
    pixels = ((0.8, 0.1, 0.1), (0.6, 0.2, 0.2), (0.61, 0.2, 0.19), (0.1, 0.5, 0.4))
    # priors are far above beta: thresholds 0.6 (not above it: void), 0.375, -
    assert classes_of(threshold, *pixels) == [0, -1, 0, 1]


def five_classes(*of_class_1, others):
    """One row in which class 1 is the most probable one; class 0 has nothing, the rest `others`."""
    probabilities = torch.full((1, 5, 1, len(of_class_1)), others)
    probabilities[:, 0], probabilities[:, 1] = 0.0, torch.tensor(of_class_1)
    return probabilities


def test_a_rare_class_needs_less_but_never_less_than_the_floor():
    threshold = ClassAdaptiveThreshold(share=0.75, floor=0.2, beta=1e-3, momentum=1.0)
    threshold.prior = torch.tensor([0.6, 0.5e-3, 0.1, 0.1, 0.1])
    limit = 0.75 * (1 - math.exp(-0.5)) * 0.9
    assert limit == pytest.approx(0.2656, abs=1e-4)  # 0.675 for a frequent class
    seen = five_classes(0.9, limit + 1e-4, limit - 1e-4, others=0.1)
    assert threshold(seen)[0, 0].tolist() == [1, 1, -1]
    threshold.prior = torch.tensor([0.6, 1e-5, 0.1, 0.1, 0.1])  # 0.0067 without the floor
    seen = five_classes(0.9, 0.21, 0.2, others=0.1)
    assert threshold(seen)[0, 0].tolist() == [1, 1, -1]


def test_the_maximum_is_that_of_pixels_where_the_class_is_the_most_probable():
    """Class 1 reaches 0.5 beside 0.5 of class 0, which comes first, and 0.3 on its own."""
    threshold = ClassAdaptiveThreshold(share=0.75, floor=0.0)
    pixels = ((0.5, 0.5, 0.0, 0.0), (0.24, 0.3, 0.23, 0.23))
    assert classes_of(threshold, *pixels) == [0, 1]  # 0.3 > 0.75 * 0.3, but not 0.75 * 0.5


def test_a_class_waits_with_the_prior_beta_until_it_is_seen():
    threshold = ClassAdaptiveThreshold(share=1.0, floor=0.0)
    # Too little of class 1 to count as seen: 1 - 1/e of its maximum is needed, 0.632e-9.
    assert classes_of(threshold, (0.0, 1e-9), (0.0, 0.64e-9), (0.0, 0.62e-9)) == [1, 1, -1]
    assert threshold.prior.tolist() == [0.0, 0.0]  # it does not decay either
    threshold(row((0.5, 0.5)))
    assert threshold.prior.tolist() == [0.5, 0.5]


def test_the_state_goes_through_a_state_dict():
    first = ClassAdaptiveThreshold()
    batches = torch.rand(6, 2, 4, 3, 5).softmax(dim=2)
    for batch in batches[:3]:
        first(batch)
    second = ClassAdaptiveThreshold()
    second.load_state_dict(first.state_dict())
    for batch in batches[3:]:
        assert torch.equal(first(batch), second(batch))
        assert torch.equal(first.prior, second.prior)
    assert ShareOfMaximum().state_dict() == {}
    fresh = ClassAdaptiveThreshold()
    fresh.load_state_dict(ClassAdaptiveThreshold().state_dict())  # before the first batch
    assert len(fresh.prior) == 0


def test_it_follows_the_classes_as_they_get_frequent():
    threshold = ClassAdaptiveThreshold(momentum=0.9)
    rare = torch.tensor([0.999, 0.001]).view(1, 2, 1, 1)
    often = torch.tensor([0.5, 0.5]).view(1, 2, 1, 1)
    threshold(rare)
    priors = [float(threshold.prior[1])]
    for _ in range(5):
        threshold(often)
        priors.append(float(threshold.prior[1]))
    assert all(low < high < 0.5 for low, high in pairwise(priors))


def on_rank(rank, port, batches, found):
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2
    )
    threshold = ClassAdaptiveThreshold()
    for batch in batches:
        threshold(batch[rank])
    found[rank] = threshold.prior.tolist()
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_all_processes_have_the_prior_of_all_their_batches():
    batches = torch.rand(3, 2, 1, 4, 3, 5).softmax(dim=3)  # step, rank, B, C, H, W
    alone = ClassAdaptiveThreshold()
    for batch in batches:
        alone(batch.flatten(0, 1))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with mp.Manager() as manager:
        found = manager.dict()
        mp.spawn(on_rank, args=(port, batches, found), nprocs=2)
        found = dict(found)
    assert found[0] == found[1] == pytest.approx(alone.prior.tolist(), rel=1e-6)
