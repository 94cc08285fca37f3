"""What splitting one 512x1024 image costs, as ratios within one run on one thread.

    python -m benchmarks.splitting

The plain way labels every class by itself with scipy and grows one component after the other over
the whole image; both give the same instances, which is checked first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from relief.ops.depth_edges import gradient_magnitude, gradient_magnitude_cpu
from relief.ops.splitting.depth_sharpening import ToggleSharpening
from relief.ops.splitting.reclaim import partition
from relief.schema.observation import Observation
from relief.splitters.connected import ConnectedSplitter
from relief.splitters.depth_gradient import DepthGradientSplitter
from relief.splitters.knn_linkage import KnnLinkageSplitter
from relief.splitters.thing_regions import thing_regions
from relief.splitters.watershed import WatershedSplitter

SIZE = (512, 1024)
NUM_CLASSES, FIRST_THING = 19, 11
THRESHOLD, MIN_AREA_PX, DILATION_PX = 0.2, 300, 3
REPEATS = 15
ONE_REGION = (
    "sharpening of depth",
    "one region, sharpened gradient",
    "one region, linkage of every 2nd pixel",
    "one region, watershed of every 2nd",
)


def drawn_scene(num_objects: int = 60, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Overlapping ellipses of thing classes before a slanted ground, with ragged borders.

    Returns:
        semantic (1, H, W) int64 and depth (1, 1, H, W) float32 in [0, 1].
    """
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    depth = np.clip(1.2 - rows / SIZE[0], 0, 1)
    semantic = np.where(rows > SIZE[0] // 2, 0, 2)
    for distance in np.sort(generator.uniform(0.1, 0.9, num_objects))[::-1]:
        height, width = (14 + generator.uniform(20, 60, 2) * (1 - distance)).tolist()
        middle = generator.integers(60, SIZE[0] - 60), generator.integers(0, SIZE[1])
        inside = ((rows - middle[0]) / height) ** 2 + ((columns - middle[1]) / width) ** 2 < 1
        semantic[inside] = generator.integers(FIRST_THING, NUM_CLASSES)
        depth[inside] = distance
    ragged = generator.random(SIZE) < 0.002
    semantic[ragged] = FIRST_THING
    return torch.from_numpy(semantic)[None], torch.from_numpy(depth.astype(np.float32))[None, None]


def plain_split(semantic: NDArray[np.int64], gradient: NDArray[np.float32]) -> NDArray[np.int64]:
    """One class and one component after the other, every step over the whole image."""
    masks = []
    for label in range(FIRST_THING, NUM_CLASSES):
        in_class = semantic == label
        components, count = ndimage.label(in_class & (gradient <= THRESHOLD))
        found = [components == i for i in range(1, count + 1)]
        found = [mask for mask in found if mask.sum() >= MIN_AREA_PX]
        taken = np.zeros_like(in_class)
        for mask in sorted(found, key=lambda mask: -int(mask.sum())):
            near = ndimage.binary_dilation(mask, iterations=DILATION_PX)
            masks.append(mask | (near & in_class & ~taken))
            taken |= masks[-1]
    instance = np.zeros(semantic.shape, np.int64)
    ordered = sorted(masks, key=lambda mask: -int(mask.sum()))
    for number in range(len(ordered), 0, -1):
        instance[ordered[number - 1]] = number
    return instance


def medians_ms(steps: Sequence[Callable[[], object]]) -> list[float]:
    """Median processor times of some steps, in turns so that load falls on all alike."""
    times = np.empty((REPEATS, len(steps)))
    for repeat in range(REPEATS):
        for i, step in enumerate(steps):
            start = time.process_time()
            step()
            times[repeat, i] = time.process_time() - start
    return [float(value) for value in np.median(times, axis=0) * 1000]


def main() -> None:
    """Prints the table."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    semantic, depth = drawn_scene()
    things = torch.arange(NUM_CLASSES) >= FIRST_THING
    observation = Observation(semantic=semantic, things=things, depth=depth)
    splitter = DepthGradientSplitter(THRESHOLD, MIN_AREA_PX, dilation_px=DILATION_PX)
    connected = ConnectedSplitter(MIN_AREA_PX)
    one_region = observation.regions(torch.where(things, 0, -1))
    first = DepthGradientSplitter(0.013, 800, sharpening=ToggleSharpening())
    linkage = KnnLinkageSplitter(10, 0.004, 400, step_px=2)
    watershed = WatershedSplitter(10.0, 800)
    gradient = gradient_magnitude(depth)[0, 0].numpy()
    cluster = semantic[0].numpy()
    regions, edges = thing_regions(semantic, things)[0], gradient > THRESHOLD
    parts = partition(regions, edges, DILATION_PX)
    instance = splitter.split(observation).instance[0]
    same = np.array_equal(instance, plain_split(cluster, gradient))
    of_gradient, of_split, of_connected, of_plain, of_cpu, of_filter, *of_one = medians_ms(
        [
            lambda: gradient_magnitude(depth),
            lambda: splitter.split(observation),
            lambda: connected.split(observation),
            lambda: plain_split(cluster, gradient),
            lambda: gradient_magnitude_cpu(depth[0, 0].numpy()),
            lambda: parts.instances(MIN_AREA_PX),
            lambda: ToggleSharpening()(depth),
            lambda: first.split(one_region),
            lambda: linkage.split(one_region),
            lambda: watershed.split(one_region),
        ]
    )
    rows = [
        ("gradient (kornia, float32)", of_gradient),
        ("gradient (OpenCV, float64)", of_cpu),
        ("depth splitting, gradient included", of_split),
        ("depth splitting beyond the gradient", of_split - of_gradient),
        ("one more area filter", of_filter),
        ("connected components", of_connected),
        ("plain splitting, gradient given", of_plain),
        *zip(ONE_REGION, of_one, strict=True),
    ]
    print(f"{SIZE[0]}x{SIZE[1]}, {len(parts.area_px) - 1} components, 1 thread, {REPEATS} turns")
    for name, milliseconds in rows:
        print(f"{name:38s}{milliseconds:9.2f} ms")
    print(
        f"{'plain / ours beyond the gradient':38s}{of_plain / (of_split - of_gradient):9.1f} times"
    )
    print(f"{'instances equal':38s}{same!s:>9}")


if __name__ == "__main__":
    main()
