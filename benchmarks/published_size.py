"""`label.py` with networks of the published sizes on real frames, at both geometries.

    python -m benchmarks.published_size --root CITYSCAPES [--split test] [--out DIR]

Weights are random values in the published file layout, converted as `weights get` does. Memory is
the most that the process ever had, the files of the weights taken off.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.random_weights import DIM
from relief.models.codebooks.codebook import Codebook

ROOT = Path(__file__).parents[1]
RECIPES = {"322x644": "cityscapes_k80", "1022x2044": "cityscapes_full_resolution"}
CLUSTERS = 300


@dataclass(frozen=True)
class Run:
    """What one run of `label.py` cost."""

    code: int
    seconds: float
    peak_bytes: int


def get_weights(folder: Path) -> int:
    """Random weights below `folder`/weights, converted; their bytes.

    In processes of their own: what this one holds would count as memory of those it starts.
    """
    _python(folder, "benchmarks.random_weights", "weights")
    for recipe in (*RECIPES.values(), "cityscapes_probe27"):
        config = str(ROOT / "configs" / "label" / f"{recipe}.yaml")
        _python(folder, "relief.models.weights", "get", "--config", config)
    for published in (folder / "weights").rglob("*.pth"):
        published.unlink()
    return sum(path.stat().st_size for path in (folder / "weights").rglob("*.safetensors"))


def _python(folder: Path, module: str, *arguments: str) -> None:
    """Runs a module in `folder`, where recipes look for their weights."""
    command = [sys.executable, "-m", module, *arguments]
    path = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=folder, env=path, check=True)


def write_codebook(path: Path, k: int = CLUSTERS) -> None:
    """A codebook of random centroids, every tenth cluster a thing."""
    codebook = Codebook()
    things = torch.arange(k) % 10 == 0
    groups = torch.where(things, things.cumsum(0) - 1, -1)
    centroids = torch.randn(k, DIM, generator=torch.Generator().manual_seed(0))
    codebook.fill(centroids, things, groups)
    codebook.save(path)


def label(folder: Path, recipe: str, out: Path, *options: str) -> Run:
    """Runs `label.py` in `folder` as a process of its own."""
    command = [
        *(sys.executable, str(ROOT / "label.py")),
        *("--config", str(ROOT / "configs" / "label" / f"{recipe}.yaml"), "--out", str(out)),
        *("--data.init_args.num_workers", "0", "--trainer.accelerator", "cpu", *options),
    ]
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    return Run(os.waitstatus_to_exitcode(status), seconds, usage.ru_maxrss * 1024)


def label_at_both_geometries(folder: Path, root: Path, split: str) -> dict[str, Run]:
    """Labels by name of the geometry: 80 published clusters, and 300 at full resolution."""
    write_codebook(folder / "k300.safetensors")
    options = ("--data.init_args.root", str(root), "--data.init_args.split", split)
    given = {"1022x2044": ("--codebook", str(folder / "k300.safetensors"))}
    return {
        name: label(folder, recipe, folder / recipe, *options, *given.get(name, ()))
        for name, recipe in RECIPES.items()
    }


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.out) as name:
        weights_bytes = get_weights(Path(name))
        runs = label_at_both_geometries(Path(name), options.root.resolve(), options.split)
    print(f"weights {weights_bytes / 2**30:.2f} GiB, {torch.get_num_threads()} threads")
    for geometry, run in runs.items():
        above = (run.peak_bytes - weights_bytes) / 2**30
        print(
            f"{geometry:12s}exit {run.code}{run.seconds:9.1f} s{above:8.2f} GiB above the weights"
        )


if __name__ == "__main__":
    main()
