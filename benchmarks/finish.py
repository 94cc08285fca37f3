"""Time and memory of `label.py --finish true` over very many tiny images in shards.

    python -m benchmarks.finish [--images 200000]

The plan and the codebook are made by `label.py --shards none`; the shards of its workers are
packed here, all of them of the same eight segments. Then `label.py --finish true` is run as anyone
runs it: it lists the images, proves the shards, writes `manifest.json`, `panoptic.json` and the
report. Both are processes of their own, whose memory the system tells.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import yaml

from benchmarks.shards import HEIGHT, WIDTH, SameLabels
from relief.formats.label_png import write_png
from relief.formats.shards.run import ShardRun
from relief.formats.shards.writer import write_shard

ROOT = Path(__file__).parents[1]
MOST_LINKS = 10_000  # of one file, and images of one folder
SEGMENTS = 8


def recipe(images: Path) -> dict[str, object]:
    """A recipe without weights: colours, eight clusters, connected regions."""

    def part(class_path: str, **arguments: object) -> dict[str, object]:
        return {"class_path": class_path, "init_args": arguments}

    return {
        "model": part(
            "lightning_modules.pseudo_labeler.PseudoLabeler",
            backbone=part("relief.models.backbones.rgb_statistics.RGBStatistics", patch_px=2),
            codebook=part("relief.models.codebooks.codebook.Codebook"),
            splitter=part("relief.splitters.connected.ConnectedSplitter", min_area_px=4),
            geometry=part(
                "relief.schema.geometry.WindowGeometry",
                **{"short_side_px": HEIGHT, "window_px": HEIGHT, "stride_px": HEIGHT // 2},
            ),
            split_short_side_px=HEIGHT,
        ),
        "fitter": part(
            "lightning_modules.codebook_fitter.CodebookFitter",
            kmeans=part("relief.models.codebook_fitters.lloyd.LloydKMeans", k=SEGMENTS),
        ),
        "thingness": part(
            "lightning_modules.thing_finder.ThingFinder",
            rule=part("relief.models.codebooks.thing_rule.PublishedThingRule", num_things=2),
        ),
        "data": part("datamodules.cityscapes.Cityscapes", root=str(images), num_workers=1),
        "trainer": {"accelerator": "cpu"},
    }


def draw_images(root: Path, count: int) -> None:
    """Four train images, and so many of the split `val`, which share the bytes of a few files."""
    random = np.random.default_rng(0)
    for split, number in (("train", 4), ("val", count)):
        for first in range(0, number, MOST_LINKS):
            folder = root / "leftImg8bit" / split / f"city{first // MOST_LINKS:05d}"
            drawn = folder.parent / f"{folder.name}.png"
            folder.mkdir(parents=True)
            write_png(drawn, random.integers(0, 255, (HEIGHT, WIDTH, 3)).astype(np.uint8))
            for index in range(first, min(first + MOST_LINKS, number)):
                os.link(drawn, folder / f"{folder.name}_{index:08d}_000000_leftImg8bit.png")


def run_label(*options: str) -> tuple[float, float, float]:
    """Runs `label.py`; seconds by the clock, of the processor, and the most megabytes.

    Raises:
        RuntimeError: It does not end with 0.
    """
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, str(ROOT / "label.py"), *options], cwd=ROOT)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        msg = f"label.py ended with {os.waitstatus_to_exitcode(status)}"
        raise RuntimeError(msg)
    processor = usage.ru_utime + usage.ru_stime
    return time.perf_counter() - begun, processor, usage.ru_maxrss / 1024


def measure(folder: Path, count: int) -> dict[str, tuple[float, float, float]]:
    """What the plan and the end of so many images cost; see `run_label`."""
    images, out, config = folder / "images", folder / "out", folder / "recipe.yaml"
    draw_images(images, count)
    config.write_text(yaml.safe_dump(recipe(images)), encoding="utf-8")
    options = ("--config", str(config), "--out", str(out))
    planned = run_label(*options, "--shards", "none")
    run = ShardRun(out)
    for shard in run.shards:
        write_shard(out, shard, SameLabels(run, shard), run.settings)
    finished = run_label(*options, "--finish", "true")
    print(f"manifest.json: {(out / 'manifest.json').stat().st_size / 1e6:.0f} MB")
    print(f"panoptic.json: {(out / 'panoptic.json').stat().st_size / 1e6:.0f} MB")
    return {"--shards none": planned, "--finish true": finished}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=200_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        costs = measure(Path(folder), given.images)
    for name, (clock, processor, megabytes) in costs.items():
        print(f"{name}: {clock:.0f} s, {processor:.0f} s of a core, at most {megabytes:.0f} MB")


if __name__ == "__main__":
    main()
