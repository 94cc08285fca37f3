import socket
from itertools import product

import pytest
import torch
import torch.multiprocessing as mp

from relief.metrics.instance_ap import InstanceAveragePrecision
from relief.metrics.panoptic_quality import MatchedPanopticQuality
from relief.ops.objects.instance_masks import panoptic_instances

# (key of image) by rank: padding repeats "a" on rank 1; in the second case rank 1 has nothing.
SHARES = [(("a", "b", "c"), ("d", "a")), (("a", "b"), ()), (("a",), ("a",))]


def image(key):
    generator = torch.Generator().manual_seed(ord(key))
    blocks = torch.randint(0, 3, (2, 4, 4, 2), generator=generator)
    return blocks.repeat_interleave(8, 1).repeat_interleave(8, 2)


def quality_over(keys):
    metric = MatchedPanopticQuality(3, (2,), (0, 1), (2,))
    for key in keys:
        pred, target = image(key)
        metric.update(pred[None], target[None], [key])
    return metric


def precision_over(keys):
    metric = InstanceAveragePrecision()
    for key in keys:
        pred, target = (panoptic_instances(one, (2,)) for one in image(key))
        metric.update([pred], [target], [key])
    return metric


METRICS = (quality_over, precision_over)


def on_rank(rank, port, results):
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2
    )
    for case, (metric_over, shares) in enumerate(product(METRICS, SHARES)):
        metric = metric_over(shares[rank])
        first = metric.compute()
        metric._computed = None
        again = metric.compute()
        for name, value in first.items():
            assert torch.equal(value.nan_to_num(-1), again[name].nan_to_num(-1)), name
        results[case, rank] = {name: value.tolist() for name, value in first.items()}
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_ranks_are_one_process_and_padding_counts_once():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with mp.Manager() as manager:
        results = manager.dict()
        mp.spawn(on_rank, args=(port, results), nprocs=2)
        results = dict(results)
    for case, (metric_over, shares) in enumerate(product(METRICS, SHARES)):
        alone = metric_over(sorted({key for share in shares for key in share})).compute()
        expected = {name: value.nan_to_num(-1).tolist() for name, value in alone.items()}
        for rank in range(2):
            found = {
                name: torch.tensor(value).nan_to_num(-1).tolist()
                for name, value in results[case, rank].items()
            }
            assert found.keys() == expected.keys()
            for name in expected:
                assert torch.tensor(found[name]).equal(torch.tensor(expected[name])), name
