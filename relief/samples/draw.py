"""Draws the embedded sample: street scenes as a Cityscapes tree with depth.

    python -m relief.samples.draw --root DIR

writes `DIR/leftImg8bit`, `DIR/gtFine` and `DIR/depth`. The bytes depend on the seed and the counts
only, not on the number of processes.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track

from relief.samples.canvas import Canvas
from relief.samples.scene import draw_scene
from relief.schema.errors import UsageError

FORMAT_VERSION = 1
MARKER = "sample.json"
DRAWING = "sample.drawing.json"
PARTS = ("leftImg8bit", "gtFine", "depth")
CITIES = {
    "train": ("ahrendorf", "birkenau", "lindenfurt", "westhagen"),
    "val": ("moosbruck", "rosental", "tannheim"),
}
_SPLIT_SEEDS = {"train": 0, "val": 1}
_PNG_OPTIONS = (cv2.IMWRITE_PNG_COMPRESSION, 1)


@dataclass(frozen=True)
class SceneFile:
    """One scene of the sample and where its files go."""

    root: Path
    split: str
    index: int
    seed: int

    @property
    def city(self) -> str:
        """The invented city."""
        cities = CITIES[self.split]
        return cities[self.index % len(cities)]

    @property
    def stem(self) -> str:
        """Name without suffixes, as `tannheim_000004_000019`."""
        return f"{self.city}_{self.index // len(CITIES[self.split]):06d}_000019"

    def path(self, part: str, suffix: str) -> Path:
        """The path of one of its files."""
        return self.root / part / self.split / self.city / f"{self.stem}{suffix}"

    @property
    def paths(self) -> dict[str, Path]:
        """Image, label ids, instance ids and depth."""
        return {
            "image": self.path("leftImg8bit", "_leftImg8bit.png"),
            "label_ids": self.path("gtFine", "_gtFine_labelIds.png"),
            "instance_ids": self.path("gtFine", "_gtFine_instanceIds.png"),
            "depth": self.path("depth", ".npy"),
        }


def _write(path: Path, data: bytes) -> None:
    """Writes a file so that it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(data)
    temporary.replace(path)


def _png(array: np.ndarray) -> bytes:
    done, data = cv2.imencode(".png", array, _PNG_OPTIONS)
    if not done:
        msg = f"cannot encode an array of {array.dtype} {array.shape} as PNG"
        raise ValueError(msg)
    return data.tobytes()


def _npy(array: np.ndarray) -> bytes:
    buffer = BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def write_scene(scene: SceneFile, canvas: Canvas, parts: tuple[str, ...] = PARTS) -> None:
    """Writes the files of one scene that belong to these parts of the tree."""
    paths = scene.paths
    if "leftImg8bit" in parts:
        image = np.clip(np.rint(canvas.image * 255), 0, 255).astype(np.uint8)
        _write(paths["image"], _png(image[..., ::-1]))
    if "gtFine" in parts:
        _write(paths["label_ids"], _png(canvas.label_ids))
        _write(paths["instance_ids"], _png(canvas.instance_ids))
    if "depth" in parts:
        _write(paths["depth"], _npy(canvas.depth.astype(np.float16)))


def _draw(scene: SceneFile, parts: tuple[str, ...], keep: bool) -> None:
    wanted = [
        path for path in scene.paths.values() if path.relative_to(scene.root).parts[0] in parts
    ]
    if keep and all(path.exists() for path in wanted):
        return
    cv2.setNumThreads(1)
    rng = np.random.default_rng([scene.seed, _SPLIT_SEEDS[scene.split], scene.index])
    write_scene(scene, draw_scene(rng), parts)


def draw_sample(
    root: Path,
    *,
    train_images: int = 48,
    val_images: int = 48,
    seed: int = 0,
    processes: int | None = None,
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
        processes: How many to draw in; the cores of the machine by default.

    Returns:
        Seconds it took, 0.0 when there was nothing to do.

    Raises:
        UsageError: `root` cannot be written, or holds a sample of another seed or size.
    """
    start = time.monotonic()
    counts = {"train": train_images, "val": val_images}
    wanted = {
        "format_version": FORMAT_VERSION,
        "seed": seed,
        **{f"{split}_images": count for split, count in counts.items()},
    }
    done, drawing = root / MARKER, root / DRAWING
    try:
        if done.exists():
            _require_same(root, _read(done), wanted)
            return 0.0
        root.mkdir(parents=True, exist_ok=True)
        begun = _read(drawing)
        is_same = {key: begun.get(key) for key in wanted} == wanted
        parts = tuple(begun["parts"]) if begun else _missing_parts(root)
        _write(drawing, _json({**wanted, "parts": list(parts)}))
        scenes = [SceneFile(root, split, i, seed) for split in counts for i in range(counts[split])]
        _draw_all(scenes, parts, is_same, processes or len(os.sched_getaffinity(0)))
        _write(done, _json(wanted))
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
    """What a marker says; nothing if it is not there or cannot be understood."""
    try:
        value = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _require_same(root: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    for key in ("seed", "train_images", "val_images"):
        if key in found and found[key] != wanted[key]:
            msg = (
                f"another sample is there: {root} ({key} {found[key]}, not {wanted[key]}). "
                "Choose another folder or delete it."
            )
            raise UsageError(msg)


def _draw_all(scenes: list[SceneFile], parts: tuple[str, ...], keep: bool, processes: int) -> None:
    total = len(scenes)
    if not parts:
        return
    if processes == 1 or total <= 1:
        for scene in track(scenes, "drawing the sample", total):
            _draw(scene, parts, keep)
        return
    # fork: a fresh interpreter would spend longer on its imports than on its share of the scenes.
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        futures = [pool.submit(_draw, scene, parts, keep) for scene in scenes]
        for future in track(as_completed(futures), "drawing the sample", total):
            future.result()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m relief.samples.draw", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="where the tree goes")
    parser.add_argument("--train_images", type=int, default=48)
    parser.add_argument("--val_images", type=int, default=48)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=None)
    options = parser.parse_args()
    seconds = draw_sample(**vars(options))
    done = f"drawn in {seconds:.1f} s" if seconds else "already drawn"
    Console().print(f"sample: {options.root}, {done}", soft_wrap=True)


if __name__ == "__main__":
    main()
