"""Time and memory of finishing a store in shards: `python -m benchmarks.shards --images N`."""

from __future__ import annotations

import argparse
import dataclasses
import resource
import tempfile
import time
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from relief.formats.coco.panoptic import write_panoptic_json
from relief.formats.label_png import ByteSource
from relief.formats.label_run import LabelRun
from relief.formats.label_store import PANOPTIC, LabelStore, write_manifest
from relief.formats.shards.run import ShardRun
from relief.formats.shards.store import Shard, shard_segments
from relief.formats.shards.writer import write_shard
from relief.schema.categories import cluster_categories
from relief.schema.manifest import ImageStatus, Manifest

HEIGHT, WIDTH = 32, 64


class Bytes:
    """A file in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read_bytes(self) -> bytes:
        """Returns its content."""
        return self.data


class SameLabels(LabelStore):
    """The same tiny labels for every image of a shard."""

    def __init__(self, run: ShardRun, shard: Shard) -> None:
        super().__init__(run.out)
        images: dict[str, ImageStatus] = dict.fromkeys(shard.keys, "labelled")
        self._of_shard = dataclasses.replace(run.manifest, images=images, shard_size=None)
        columns = np.arange(WIDTH) // 8  # eight segments
        ids = np.broadcast_to((columns + 1) << 15, (HEIGHT, WIDTH)).astype(np.uint32)
        colours = np.stack([ids >> 16 & 255, ids >> 8 & 255, ids & 255], axis=-1)
        self._panoptic = Bytes(cv2.imencode(".png", colours.astype(np.uint8))[1].tobytes())
        self._semantic = Bytes(
            cv2.imencode(".png", np.zeros((HEIGHT, WIDTH), np.uint8))[1].tobytes()
        )

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest of the shard."""
        return self._of_shard

    def file(self, kind: str, key: str) -> ByteSource:
        """Returns the labels of any image."""
        del key
        return self._panoptic if kind == PANOPTIC else self._semantic


def peak_megabytes() -> float:
    """Returns the most memory that this process had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(out: Path, count: int) -> dict[str, float]:
    """Seconds and megabytes of proving shards, writing the manifest and panoptic.json."""
    images: dict[str, ImageStatus] = {f"city/frame_{i:08d}": "pending" for i in range(count)}
    write_manifest(out, Manifest(k=8, thing_ids=(1, 2), images=images, shard_size=2048))
    run, before = ShardRun(out), peak_megabytes()
    for shard in run.shards:
        write_shard(out, shard, SameLabels(run, shard), run.settings)
    packed, begun = peak_megabytes(), time.perf_counter()
    run.refuse_open_shards()
    proved = time.perf_counter()
    manifest = LabelRun(out).complete()
    completed, merged = time.perf_counter(), peak_megabytes()
    described = shard_segments(out, run.shards)
    categories = cluster_categories(8, (1, 2))
    write_panoptic_json(out, manifest.keys("labelled"), categories, described=described)
    return {
        "images": count,
        "prove, s": proved - begun,
        "manifest, s": completed - proved,
        "panoptic.json, s": time.perf_counter() - completed,
        "peak before, MB": before,
        "more while packing, MB": packed - before,
        "more with the manifest, MB": merged - packed,
        "more with panoptic.json, MB": peak_megabytes() - merged,
        "panoptic.json, MB": (out / "panoptic.json").stat().st_size / 1e6,
    }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, default=200_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, figure in measure(Path(folder), given.images).items():
            print(f"{name:28} {figure:10.1f}")


if __name__ == "__main__":
    main()
