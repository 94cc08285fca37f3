"""Features and cluster maps: ours against the plain formulation, in turns within one run.

    python -m benchmarks.features [--short_side_px 322] [--k 80 300] [--repeats 3] [--device cpu]

CAUSE-TR at its published size with random weights, on one random image. The plain formulation runs
window after window without fused attention, adds enlarged features up in a map of all pixels,
normalises every pixel and only then compares it with the centroids. Times on the CPU are processor
times, on a GPU they are waited for.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.random_weights import CODES, DIM, WIDTH, dinov2_state_dict, segment_state_dict
from relief.models.backbones.cause_tr import CauseTR
from relief.models.precision import Precision, run_in
from relief.ops.sliding_window import extract_windows, sliding_window_features, window_starts

WINDOW_PX, STRIDE_PX = 322, 161
OURS: dict[str, Precision] = {"ours": "float32", "ours, bfloat16": "bfloat16"}


@contextmanager
def plain_attention(network: CauseTR) -> Any:
    """Attention as softmax of a product, in memory."""
    blocks = network.body.vit.blocks if network.body is not None else []
    for block in blocks:
        block.attn.fused_attn = False
    with sdpa_kernel(SDPBackend.MATH):  # the head's
        yield
    for block in blocks:
        block.attn.fused_attn = True


class Stopwatch:
    """The least time of every step, and what it gave last.

    Args:
        device: Processor time on the CPU, waited for elsewhere.
    """

    def __init__(self, device: str) -> None:
        self.on_cpu = device == "cpu"
        self.clock = time.process_time if self.on_cpu else time.perf_counter
        self.seconds: dict[str, float] = {}
        self.found: dict[str, Any] = {}

    def time(self, name: str, work: Callable[..., Any], *arguments: Any) -> Any:
        """Runs a step."""
        start = self.clock()
        result = work(*arguments)
        if not self.on_cpu:
            torch.cuda.synchronize()
        self.seconds[name] = min(self.clock() - start, self.seconds.get(name, float("inf")))
        self.found[name] = result
        return result


@torch.no_grad()
def measure(options: argparse.Namespace) -> Stopwatch:
    """Steps `KIND` (features) and `KIND, k=K` (clusters of all pixels), in turns."""
    generator = torch.Generator().manual_seed(0)
    codebook = torch.randn(CODES, WIDTH, generator=generator)
    network = CauseTR.from_state_dicts(dinov2_state_dict(), segment_state_dict(), codebook)
    network.to(options.device)
    height = options.short_side_px // 14 * 14
    image = torch.rand(1, 3, height, 2 * height, generator=generator).to(options.device)
    centroids = {
        k: F.normalize(torch.randn(k, DIM, generator=generator), dim=1).to(options.device)
        for k in options.k
    }
    watch = Stopwatch(options.device)
    windows = (network, image, WINDOW_PX, STRIDE_PX)
    for _ in range(options.repeats):
        with plain_attention(network):
            dense = watch.time("plain", sliding_window_features, *windows)[0]
        for k, unit in centroids.items():
            watch.time(f"plain, k={k}", plain_clusters, dense, unit)
        for kind, precision in OURS.items():
            run_in(network, precision)
            features = watch.time(kind, extract_windows, *windows)
            for k, unit in centroids.items():
                watch.time(f"{kind}, k={k}", features.clusters, unit)
        run_in(network, "float32")
    return watch


def plain_clusters(features: Tensor, centroids: Tensor) -> Tensor:
    """(C, H, W) features of all pixels -> (H, W) clusters, every pixel normalised first."""
    cosines = torch.einsum("kc,chw->khw", centroids, F.normalize(features, dim=0))
    return cosines.argmax(dim=0)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short_side_px", type=int, default=322)
    parser.add_argument("--k", type=int, nargs="+", default=[80, 300])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    height = options.short_side_px // 14 * 14
    starts = [window_starts(side, WINDOW_PX, STRIDE_PX) for side in (height, 2 * height)]
    windows = len(starts[0]) * len(starts[1])
    watch = measure(options)
    print(
        f"{height}x{2 * height}, {windows} windows, {options.device}, "
        f"{torch.get_num_threads()} threads, best of {options.repeats}"
    )
    for k in options.k:
        of_plain = watch.found[f"plain, k={k}"]
        plain_s = watch.seconds["plain"] + watch.seconds[f"plain, k={k}"]
        for kind in ("plain", *OURS):
            assign_s = watch.seconds[f"{kind}, k={k}"]
            total_s = watch.seconds[kind] + assign_s
            other = (watch.found[f"{kind}, k={k}"] != of_plain).float().mean().item()
            print(
                f"k={k:<4d} {kind:15s}{windows / watch.seconds[kind]:8.2f} windows/s"
                f"{1000 * assign_s:8.0f} ms to assign{total_s:8.2f} s/image"
                f"{plain_s / total_s:6.2f} x{100 * other:9.4f} % other labels"
            )


if __name__ == "__main__":
    main()
