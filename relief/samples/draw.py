"""Draws the embedded sample: street scenes as a Cityscapes tree with depth.

    python -m relief.samples.draw --root DIR

writes `DIR/leftImg8bit`, `DIR/gtFine` and `DIR/depth`. The bytes depend on the seed and the counts
only, not on the number of threads. With `--domain hazy` they are other scenes of the same classes,
in another light; with `coloured` and `coloured_hazy` small ones (128x256) in which colour says
something of the class.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from relief.formats.files.atomic import write_bytes
from relief.processes.progress import with_progress
from relief.samples.scenes.canvas import Canvas
from relief.samples.scenes.coloured_canvas import ColouredCanvas
from relief.samples.scenes.hazy_scene import Haze, draw_hazy_scene
from relief.samples.scenes.scene import SceneBuilder, draw_scene
from relief.samples.scenes.scene_files import PARTS, SceneFile, write_scene
from relief.schema.errors import ReliefError, UsageError
from relief.schema.plain_text import json_of

FORMAT_VERSION = 1
MARKER = "sample.json"
DRAWING = "sample.drawing.json"
_SMALL = (128, 256)  # (height, width) of the coloured scenes, in pixels
_LIGHT_HAZE = Haze(cast=0.03, sight_m=(60, 150), sky_m=60, light=(0.75, 0.95, 1.15))


@dataclass(frozen=True)
class Domain:
    """One look of the streets.

    Attributes:
        name: In the marker of the tree.
        split_seeds: Of each split; no street is in two domains.
        draw_scene: Draws a scene from a generator.
    """

    name: str
    split_seeds: Mapping[str, int]
    draw_scene: Callable[[np.random.Generator], Canvas]


def _coloured(rng: np.random.Generator) -> Canvas:
    return SceneBuilder(rng, ColouredCanvas(_SMALL)).draw()


def _coloured_hazy(rng: np.random.Generator) -> Canvas:
    return draw_hazy_scene(rng, _SMALL, _LIGHT_HAZE, ColouredCanvas)


CLEAR = Domain("clear", {"train": 0, "val": 1}, draw_scene)
HAZY = Domain("hazy", {"train": 2, "val": 3}, draw_hazy_scene)
COLOURED = Domain("coloured", {"train": 4, "val": 5}, _coloured)
COLOURED_HAZY = Domain("coloured_hazy", {"train": 6, "val": 7}, _coloured_hazy)
DOMAINS = {one.name: one for one in (CLEAR, HAZY, COLOURED, COLOURED_HAZY)}


def _draw(scene: SceneFile, domain: Domain, parts: tuple[str, ...], keep: bool) -> None:
    wanted = [
        path for path in scene.paths.values() if path.relative_to(scene.root).parts[0] in parts
    ]
    if keep and all(path.exists() for path in wanted):
        return
    rng = np.random.default_rng([scene.seed, domain.split_seeds[scene.split], scene.index])
    write_scene(scene, domain.draw_scene(rng), parts)


def draw_sample(
    root: Path,
    *,
    train_images: int = 48,
    val_images: int = 48,
    seed: int = 0,
    threads: int | None = None,
    domain: Domain = CLEAR,
) -> float:
    """Draws the sample unless it was drawn before.

    A finished sample leaves `sample.json`: with it there, nothing is drawn, not even a part that
    someone deleted. While it is drawn there is `sample.drawing.json`; a drawing that was stopped is
    completed by the next call. A part of the tree that was there before the first call is left as
    it is.

    Args:
        root: Where the tree goes.
        train_images: How many scenes of the train split.
        val_images: How many scenes of the val split.
        seed: Decides all scenes.
        threads: How many scenes are drawn at once; the cores of the machine by default.
        domain: How they look.

    Returns:
        Seconds it took, 0.0 when there was nothing to do.

    Raises:
        UsageError: `root` cannot be written, or holds a sample of another domain, seed or size.
    """
    start = time.monotonic()
    counts = {"train": train_images, "val": val_images}
    wanted = {
        "format_version": FORMAT_VERSION,
        "seed": seed,
        **{f"{split}_images": count for split, count in counts.items()},
        **({} if domain == CLEAR else {"domain": domain.name}),
    }
    done, drawing = root / MARKER, root / DRAWING
    try:
        if done.exists():
            _require_same(root, _read(done), wanted)
            return 0.0
        root.mkdir(parents=True, exist_ok=True)
        begun = _read(drawing)
        is_same = {key: begun.get(key) for key in wanted} == wanted
        parts = tuple(begun["parts"]) if "parts" in begun else _missing_parts(root)
        write_bytes(drawing, _json({**wanted, "parts": list(parts)}))
        scenes = [SceneFile(root, split, i, seed) for split in counts for i in range(counts[split])]
        _draw_all(scenes, domain, parts, is_same, threads or len(os.sched_getaffinity(0)))
        write_bytes(done, _json(wanted))
        drawing.unlink()
    except OSError as error:
        msg = f"cannot write the sample: {root} ({error.strerror}). Choose another folder."
        raise UsageError(msg) from error
    return time.monotonic() - start


def _missing_parts(root: Path) -> tuple[str, ...]:
    return tuple(part for part in PARTS if not (root / part).exists())


def _json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, sort_keys=True) + "\n").encode()


def _read(path: Path) -> dict[str, Any]:
    """Reads a marker; empty where it is missing or cannot be understood."""
    try:
        value = json_of(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _require_same(root: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    found, wanted = ({"domain": CLEAR.name, **marker} for marker in (found, wanted))
    for key in ("domain", "seed", "train_images", "val_images"):
        if key in found and found[key] != wanted[key]:
            msg = (
                f"another sample is there: {root} ({key} {found[key]}, not {wanted[key]}). "
                "Choose another folder or delete it."
            )
            raise UsageError(msg)


def _draw_all(
    scenes: list[SceneFile], domain: Domain, parts: tuple[str, ...], keep: bool, threads: int
) -> None:
    if not parts:
        return
    # Threads: most of the work is in libraries that let go of the interpreter, a forked process
    # crashes where OpenCV's own threads run already, and a fresh one imports longer than it draws.
    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(_draw, scene, domain, parts, keep) for scene in scenes]
        try:
            for future in with_progress(as_completed(futures), "drawing the sample", len(scenes)):
                future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m relief.samples.draw", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="where the tree goes")
    parser.add_argument("--train_images", type=int, default=48)
    parser.add_argument("--val_images", type=int, default=48)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--domain", choices=DOMAINS, default=CLEAR.name)
    options = parser.parse_args()
    options.domain = DOMAINS[options.domain]
    try:
        seconds = draw_sample(**vars(options))
    except ReliefError as error:
        Console(stderr=True).print(str(error), soft_wrap=True, markup=False)
        sys.exit(2 if isinstance(error, UsageError) else 1)
    done = f"drawn in {seconds:.1f} s" if seconds else "already drawn"
    Console().print(f"sample: {options.root}, {done}", soft_wrap=True)


if __name__ == "__main__":
    main()
