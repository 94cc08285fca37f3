"""What clustering 6,000 pixel embeddings of 16 dimensions costs on one thread, beside scikit-learn.

    OMP_NUM_THREADS=1 python -m benchmarks.embedding_clusters

Times are CPU seconds; scikit-learn is given 60 seeds, and the partitions are compared first.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from jsonargparse import auto_cli
from sklearn.cluster import MeanShift as Judge
from sklearn.metrics import adjusted_rand_score
from torch import Tensor

from relief.splitters.embedding_clusters import AverageLinkage, MeanShift


def drawn(points: int, dim: int, objects: int, radius: float, seed: int = 0) -> Tensor:
    """Points (N, dim) of objects of a radius, the same number each."""
    generator = torch.Generator().manual_seed(seed)
    centres = 2 * torch.randn(objects, dim, generator=generator)
    spread = radius / dim**0.5 * torch.randn(points, dim, generator=generator)
    return centres[torch.arange(points) % objects] + spread


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of one call, the second one."""
    work()
    start = time.process_time()
    work()
    return time.process_time() - start


def main(points: int = 6000, dim: int = 16, objects: int = 12) -> None:
    """Prints the table."""
    torch.set_num_threads(1)
    published = MeanShift(merge_distance=None, support_share=0)
    print(f"{points} points of {dim} dimensions, {objects} objects, CPU s")
    for radius in (0.1, 0.3, 0.5):
        cloud = drawn(points, dim, objects, radius)
        judge = Judge(bandwidth=0.5, seeds=cloud[:60].numpy())
        found, judged = published.cluster(cloud, 1), judge.fit_predict(cloud.numpy())
        row = {
            "mean shift": seconds(lambda c=cloud: published.cluster(c, 1)),
            "mean shift+ with a floor": seconds(lambda c=cloud: MeanShift().cluster(c, 12)),
            "average linkage": seconds(lambda c=cloud: AverageLinkage().cluster(c, 1)),
            "scikit-learn, 60 seeds": seconds(lambda c=cloud, j=judge: j.fit(c.numpy())),
        }
        same = adjusted_rand_score(found.numpy(), judged)
        print(f"radius {radius}: partitions agree to {same:.3f}")
        for name, cost in row.items():
            print(f"  {name:<28}{cost:7.3f}")


if __name__ == "__main__":
    auto_cli(main)
