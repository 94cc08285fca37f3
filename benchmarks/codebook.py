"""Codebook fits: ours against scikit-learn's, in turns within one run.

    python -m benchmarks.codebook [--features 200000] [--k 80 300] [--repeats 1] [--device cpu]

Unit vectors of 90 channels around 400 directions, as features of many patches are. Inertia is the
sum of squared distances to the nearest centroid, over all features. On the CPU times are processor
times, of all threads together; on a GPU they are waited for.
"""

from __future__ import annotations

import argparse
import time

import torch
import torch.nn.functional as F
from sklearn.cluster import KMeans
from torch import Tensor

from relief.models.codebook_fitters.lloyd import LloydKMeans
from relief.models.codebook_fitters.mini_batch import MiniBatchKMeans
from relief.models.codebooks.class_votes import nearest_centroid
from relief.schema.parts import KMeansFitter

CHANNELS, DIRECTIONS, SPREAD = 90, 400, 0.1


class ScikitLloyd:
    """scikit-learn's full k-means with our number of starts: the plain reference.

    Args:
        k: Number of clusters.
    """

    def __init__(self, k: int) -> None:
        self.k = k

    def fit(self, features: Tensor) -> Tensor:
        """(N, C) float32 -> (k, C) float32 means."""
        fitted = KMeans(self.k, n_init=3, max_iter=100, random_state=0).fit(features.cpu().numpy())
        return torch.from_numpy(fitted.cluster_centers_).to(features.device)


def draw_features(number: int) -> Tensor:
    """(number, 90) float32 unit vectors."""
    generator = torch.Generator().manual_seed(0)
    directions = F.normalize(torch.randn(DIRECTIONS, CHANNELS, generator=generator), dim=1)
    chosen = torch.randint(DIRECTIONS, (number,), generator=generator)
    noise = torch.randn(number, CHANNELS, generator=generator) * SPREAD
    return F.normalize(directions[chosen] + noise, dim=1)


def inertia(features: Tensor, centroids: Tensor) -> float:
    """Sum of squared distances to the nearest centroid."""
    nearest = centroids[nearest_centroid(features, centroids)]
    return float((features - nearest).square().sum(dtype=torch.float64))


def seconds_of_fit(fitter: KMeansFitter, features: Tensor) -> tuple[float, Tensor]:
    """What a fit takes, and its centroids."""
    on_cpu = features.device.type == "cpu"
    clock = time.process_time if on_cpu else time.perf_counter
    start = clock()
    centroids = fitter.fit(features)
    if not on_cpu:
        torch.cuda.synchronize()
    return clock() - start, centroids


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=int, default=200_000)
    parser.add_argument("--k", type=int, nargs="+", default=[80, 300])
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    features = draw_features(options.features).to(options.device)
    print(f"{options.features} features, {options.device}, {torch.get_num_threads()} threads")
    for k in options.k:
        fitters: dict[str, KMeansFitter] = {
            "scikit-learn, k-means": ScikitLloyd(k),
            "scikit-learn, mini-batches as published": MiniBatchKMeans(k),
            "ours": LloydKMeans(k),
        }
        best = dict.fromkeys(fitters, float("inf"))
        found: dict[str, Tensor] = {}
        for _ in range(options.repeats):
            for name, fitter in fitters.items():
                seconds, found[name] = seconds_of_fit(fitter, features)
                best[name] = min(best[name], seconds)
        for name, seconds in best.items():
            total = inertia(features, found[name])
            print(f"k={k:<4d} {name:40s}{seconds:8.2f} s   inertia {total:10.0f}")


if __name__ == "__main__":
    main()
