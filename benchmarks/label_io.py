"""What reading an image and writing its labels cost a CPU core, beside the networks.

    python -m benchmarks.label_io --image FILE --labels OUT [--repeats 9]

`FILE` is any photograph, `OUT` a label store; its first images are written again, enlarged to the
size of the photograph, into a temporary folder, flushed to the disk as `label.py` does. Beside it
stands writing as it was before: the filter of each row of pixels searched among five.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relief.formats.files.atomic import write_bytes
from relief.formats.images import read_image
from relief.formats.label_run import LabelRun
from relief.formats.label_store import LabelStore, write_manifest
from relief.formats.segment_ids import checked_segment_ids, compose_segment_ids
from relief.ops.resize import resize_nearest


def milliseconds(work: Callable[[], object], repeats: int) -> float:
    """Median processor time of a call after one that warms up; a busy machine changes it little."""
    work()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return 1000 * statistics.median(times)


SEARCHED = [cv2.IMWRITE_PNG_COMPRESSION, 6, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]


def write_searched(folder: Path, semantic: Tensor, segments: Tensor, categories: int) -> None:
    """Writes both files of an image as they were written before."""
    wide = checked_segment_ids(segments, categories).view(np.uint8)
    colours = wide.reshape(*segments.shape, 4)[..., 2::-1]  # as OpenCV orders them
    arrays: dict[str, NDArray[np.uint8]] = {
        "semantic.png": semantic.numpy().astype(np.uint8),
        "panoptic.png": np.ascontiguousarray(colours),
    }
    for name, array in arrays.items():
        write_bytes(folder / name, bytes(cv2.imencode(".png", array, SEARCHED)[1]))


def enlarged_labels(
    store: LabelStore, size: tuple[int, int], number: int
) -> list[tuple[str, Tensor, Tensor]]:
    """The first labels of a store at another size: keys, semantic and panoptic maps in int32."""
    maps = []
    for key in store.keys[:number]:
        panoptic = resize_nearest(store.panoptic(key).permute(2, 0, 1), size).permute(1, 2, 0)
        semantic = resize_nearest(store.semantic(key)[None], size)[0]
        maps.append((key, semantic.to(torch.int32), panoptic.to(torch.int32)))
    return maps


def measure(image: Path, labels: Path, out: Path, repeats: int) -> dict[str, float]:
    """Milliseconds per image of reading, writing and checking, on one thread."""
    store = LabelStore(labels)
    height, width = read_image(image).shape[-2:]
    maps = enlarged_labels(store, (height, width), 4)
    write_manifest(out, store.manifest)
    run = LabelRun(out)

    def write() -> None:
        for key, semantic, panoptic in maps:
            segments = compose_segment_ids(panoptic, run.manifest.is_thing)
            run.write(key, semantic, segments, run.manifest.num_categories)

    def write_plain() -> None:
        for _, semantic, panoptic in maps:
            segments = compose_segment_ids(panoptic, run.manifest.is_thing)
            write_searched(out.parent, semantic, segments, run.manifest.num_categories)

    def check() -> None:
        for key, _, _ in maps:
            LabelStore(out).readable(key)

    plain = milliseconds(write_plain, repeats) / len(maps)
    return {
        "read": milliseconds(lambda: read_image(image), repeats),
        "write": milliseconds(write, repeats) / len(maps),
        "write, filters searched": plain,
        "check": milliseconds(check, repeats) / len(maps),
        "kilobytes": sum(p.stat().st_size for p in out.rglob("*.png")) / len(maps) / 1000,
    }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--image", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=9)
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(given.image, given.labels, Path(folder) / "out", given.repeats)
    for name, value in figures.items():
        print(f"{name}: {value:.1f}{'' if name == 'kilobytes' else ' ms'} per image")


if __name__ == "__main__":
    main()
