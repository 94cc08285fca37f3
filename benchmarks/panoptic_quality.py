"""PQ of one 512x1024 image: ours against torchmetrics and panopticapi's way, in one run.

    python benchmarks/panoptic_quality.py [--repeats 9]

Times are CPU seconds of one thread, so that neighbours on the machine matter less.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
import torch
import torchmetrics

from benchmarks.label_io import milliseconds
from relief.metrics.panoptic_quality import PanopticQuality
from relief.ops.panoptic import compact_pairs, segment_table, segment_table_of_ids

SIZE = (512, 1024)
THINGS, STUFFS = tuple(range(11, 19)), tuple(range(11))


def scene(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A prediction and a target of some 60 segments, (H, W, 2) int64."""
    random = np.random.default_rng(seed)
    target = np.zeros((*SIZE, 2), np.int64)
    for stuff in range(11):
        top = int(stuff * SIZE[0] / 11)
        target[top:, int(random.integers(0, 300)) :] = (stuff, 0)
    for number in range(1, 50):
        y, x = random.integers(0, SIZE[0] - 20), random.integers(0, SIZE[1] - 20)
        h, w = random.integers(12, 90, 2)
        target[y : y + h, x : x + w] = (random.integers(11, 19), number)
    pred = np.roll(target, (3, -2), axis=(0, 1))
    pred[100:120] = (-1, 0)
    target[:, :8] = (-1, 0)
    return torch.from_numpy(pred), torch.from_numpy(target)


def panopticapi_uniques(pred: torch.Tensor, target: torch.Tensor) -> dict[tuple[int, int], int]:
    """The two `np.unique` calls that the reference makes of two id maps."""
    maps = [(m[..., 0] + 1) * 1000 + m[..., 1] for m in (pred.numpy(), target.numpy())]
    np.unique(maps[0], return_counts=True)
    pairs, counts = np.unique(
        maps[1].astype(np.uint64) * 2**24 + maps[0].astype(np.uint64), return_counts=True
    )
    return {
        (int(p >> 24), int(p & (2**24 - 1))): int(c) for p, c in zip(pairs, counts, strict=True)
    }


def main() -> None:
    """Prints the times and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    pred, target = scene(0)
    (pred_ids, pred_pairs), (true_ids, true_pairs) = compact_pairs(pred), compact_pairs(target)
    judge = torchmetrics.detection.PanopticQuality(
        set(THINGS), set(STUFFS), allow_unknown_preds_category=True
    )
    ours = PanopticQuality(THINGS, STUFFS)
    rows = {
        "table from compact int32 ids": milliseconds(
            lambda: segment_table_of_ids(pred_ids, true_ids, pred_pairs, true_pairs), 5 * repeats
        ),
        "table from int64 pairs": milliseconds(lambda: segment_table(pred, target), 5 * repeats),
        "one update of PanopticQuality": milliseconds(
            lambda: ours.update(pred[None], target[None]), 5 * repeats
        ),
        "the reference's np.unique calls": milliseconds(
            lambda: panopticapi_uniques(pred, target), repeats
        ),
        "one update of torchmetrics": milliseconds(
            lambda: judge.update(pred[None], target[None]), max(repeats // 3, 1)
        ),
    }
    for name, taken in rows.items():
        print(f"{name:34s} {taken:10.2f} ms")
    ratio = rows["one update of torchmetrics"] / rows["one update of PanopticQuality"]
    print(f"torchmetrics / ours                {ratio:10.0f} times (wanted: 200)")
    table = segment_table(pred, target)
    counts = {
        ((int(t[2]) + 1) * 1000 + int(t[3]), (int(t[0]) + 1) * 1000 + int(t[1])): int(t[4])
        for t in table
    }
    assert counts == panopticapi_uniques(pred, target)
    print("the table equals the reference's counts")


if __name__ == "__main__":
    main()
