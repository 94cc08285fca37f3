"""What labelling costs a device and its cores, and what that means for very many frames.

    python -m benchmarks.throughput --device cpu|cuda [--images N] [--cores 16] [--image FILE]
        [--sustained_tflops N]

The recipe as shipped (`configs/label/cityscapes_k80.yaml`): CAUSE-TR on ViT-B/14, SPIdepth with
its mirror image, windows of 322 px, splitting at 512 px, on drawn frames of 1024x2048; weights are
random values of the published shapes. Reading, splitting and writing are processor time of one
thread. The table is arithmetic from what was measured: a device with so many cores beside it is as
fast as the slower of the two, and reads so much from the file system that all devices share. With
`--sustained_tflops` the device is an assumed one that does so many of the counted operations in a
second. `--image` takes a photograph instead of drawn frames, which pack worse.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.random_weights import (
    CODES,
    DIM,
    WIDTH,
    dinov2_state_dict,
    segment_state_dict,
    spidepth_state_dicts,
)
from relief.formats.images import read_image
from relief.formats.label_png import write_png
from relief.formats.label_run import LabelRun
from relief.formats.label_store import write_manifest
from relief.formats.segment_ids import compose_segment_ids
from relief.models.backbones.cause_tr import CauseTR
from relief.models.codebooks.codebook import Codebook
from relief.models.depth.sources import depth_at
from relief.models.depth.spidepth import SPIdepth
from relief.models.labelling.cluster_segmentation import label_pixels, window_features
from relief.models.labelling.leftovers import LeaveVoid
from relief.models.labelling.panoptic_labels import label_record
from relief.models.precision import Precision, run_in
from relief.ops.resize import resize_nearest
from relief.schema.geometry import WindowGeometry
from relief.schema.manifest import Manifest
from relief.schema.observation import Observation
from relief.splitters.depth_gradient import DepthGradientSplitter

SIZE, SPLIT_SIZE, NETWORK_SIZE, K = (1024, 2048), (512, 1024), (320, 1024), 80
FRAMES = (86_000, 1_200_000, 10_000_000)
DEVICES = (1, 8, 64)
NETWORKS = ("features", "depth")


@dataclass(frozen=True)
class Cost:
    """Median seconds an image, and operations where they were counted."""

    seconds: float
    flops: int = 0


Costs = dict[str, Cost]


def drawn_frame(seed: int) -> np.ndarray:
    """(1024, 2048, 3) uint8: blocks of colours with noise, as hard to decode as a photograph."""
    random = np.random.default_rng(seed)
    blocks = random.integers(0, 230, (16, 32, 3)).repeat(64, 0).repeat(64, 1)
    return (blocks + random.integers(0, 25, (*SIZE, 3))).astype(np.uint8)


def filled_codebook() -> Codebook:
    """Eighty random centroids, every tenth a thing."""
    codebook, things = Codebook(), torch.arange(K) % 10 == 0
    centroids = torch.randn(K, DIM, generator=torch.Generator().manual_seed(0))
    codebook.fill(centroids, things, torch.where(things, things.cumsum(0) - 1, -1))
    return codebook


class Labelling:
    """The steps of `label.py` on one image, each to be timed by itself."""

    def __init__(self, device: torch.device, precision: Precision, out: Path) -> None:
        self.device = device
        codes = torch.randn(CODES, WIDTH, generator=torch.Generator().manual_seed(3))
        backbone = CauseTR.from_state_dicts(dinov2_state_dict(), segment_state_dict(), codes)
        depth = SPIdepth.from_state_dicts(*spidepth_state_dicts(), input_size=NETWORK_SIZE)
        self.backbone, self.depth = backbone.to(device).eval(), depth.to(device).eval()
        for network in (self.backbone, self.depth):
            run_in(network, precision)
        self.codebook = filled_codebook().to(device)
        self.geometry = WindowGeometry()
        self.splitter = DepthGradientSplitter(0.2, 1000)
        manifest = Manifest(k=K, thing_ids=tuple(range(0, K, 10)))
        write_manifest(out, manifest)
        self.run = LabelRun(out)

    def features(self, image: Tensor) -> Any:
        """The windows' features."""
        return window_features(self.backbone, image, self.geometry)

    def depth_of(self, image: Tensor) -> Tensor:
        """(1, 1, 512, 1024)."""
        depth = depth_at(self.depth, image, None, SPLIT_SIZE)
        assert depth is not None
        return depth

    def split(self, windows: Any, depth: Tensor) -> Any:
        """The record of an image from what the networks saw."""
        semantic = label_pixels(windows, self.codebook, SIZE)
        small = resize_nearest(semantic[None], SPLIT_SIZE)
        observation = Observation(small, self.codebook.thing_categories, depth=depth)
        return label_record(
            semantic, observation, self.codebook.category_groups, self.splitter, LeaveVoid()
        )

    def write(self, key: str, record: Any) -> None:
        """Both label files."""
        segments = compose_segment_ids(record.panoptic, self.run.manifest.is_thing)
        self.run.write(key, record.semantic.to(torch.int16).cpu(), segments.cpu(), K)


class Stopwatch:
    """Seconds of one image by step: of the device by the clock, of cores as processor time."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.seconds = device, {}

    def __call__(self, step: str, work: Callable[..., Any], *arguments: Any) -> Any:
        """Returns what a step gives."""
        clock = time.perf_counter if step in NETWORKS else time.process_time
        start = clock()
        result = work(*arguments)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.seconds[step] = clock() - start
        return result


def label(
    labelling: Labelling, device: torch.device, path: Path
) -> tuple[dict[str, float], dict[str, int]]:
    """Labels a file; seconds and operations by step."""
    watch, flops = Stopwatch(device), {}
    image = watch("read", read_image, path).to(device).float() / 255
    with FlopCounterMode(display=False) as counter:
        windows = watch("features", labelling.features, image)
    flops["features"] = counter.get_total_flops()
    with FlopCounterMode(display=False) as counter:
        depth = watch("depth", labelling.depth_of, image)
    flops["depth"] = counter.get_total_flops()
    record = watch("split", labelling.split, windows, depth)
    watch("write", labelling.write, path.stem, record)
    return watch.seconds, flops


@torch.no_grad()
def measure(
    device: torch.device, precision: Precision, images: int, folder: Path, photograph: Path | None
) -> Costs:
    """The cost of each step; on CUDA after one image that warms up."""
    labelling = Labelling(device, precision, folder / "out")
    measured, warm = [], int(device.type == "cuda")
    for index in range(images + warm):
        path = photograph or folder / f"{index}.png"
        if photograph is None:
            write_png(path, drawn_frame(index))
        measured.append(label(labelling, device, path))
    flops = measured[-1][1]
    return {
        step: Cost(statistics.median(one[step] for one, _ in measured[warm:]), flops.get(step, 0))
        for step in measured[0][0]
    }


def assumed(costs: Costs, sustained_tflops: float) -> Costs:
    """The same with a device that does so many of the counted operations in a second."""
    return {
        step: dataclasses.replace(cost, seconds=cost.flops / 1e12 / sustained_tflops)
        if step in NETWORKS
        else cost
        for step, cost in costs.items()
    }


def hours(costs: Costs, frames: int, devices: int, cores: int) -> tuple[float, str]:
    """Hours for so many frames, and what limits them."""
    of_device = sum(costs[name].seconds for name in NETWORKS)
    of_cores = sum(cost.seconds for name, cost in costs.items() if name not in NETWORKS) / cores
    limit = "device" if of_device >= of_cores else "cores"
    return frames * max(of_device, of_cores) / devices / 3600, limit


def main() -> None:
    """Prints what was measured, and the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--images", type=int, default=1)
    parser.add_argument("--cores", type=int, default=16, help="beside each device")
    parser.add_argument("--image", type=Path, help="a photograph of 1024x2048 px")
    parser.add_argument("--sustained_tflops", type=float, help="of an assumed device")
    options = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device(options.device)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        costs = measure(device, options.precision, options.images, out, options.image)
        file_bytes = (options.image or out / "0.png").stat().st_size
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "one CPU thread"
    print(f"{name}, {options.precision}, {options.images} images")
    for step, cost in costs.items():
        flops = f"{cost.flops / 1e12:8.2f} TFLOP" if cost.flops else ""
        where = "device" if step in NETWORKS else "one core"
        print(f"{step:10s}{1000 * cost.seconds:10.0f} ms of {where:9s}{flops}")
    if options.sustained_tflops:
        costs = assumed(costs, options.sustained_tflops)
        print(f"assumed: a device of {options.sustained_tflops:g} TFLOP/s")
    print(f"frames      {''.join(f'{count:>10d} devices' for count in DEVICES)}")
    for frames in FRAMES:
        told = [hours(costs, frames, count, options.cores) for count in DEVICES]
        print(f"{frames:<12d}{''.join(f'{time:>10.2f} h {limit:6s}' for time, limit in told)}")
    rates = [count / 3600 / hours(costs, 1, 1, options.cores)[0] for count in DEVICES]
    print(f"images/s    {''.join(f'{rate:>10.1f}         ' for rate in rates)}")
    read = [rate * file_bytes / 1e6 for rate in rates]
    print(f"MB/s read   {''.join(f'{megabytes:>10.0f}         ' for megabytes in read)}")


if __name__ == "__main__":
    main()
