"""Writes smaller copies of photographs once, as a tree that is read like the one they come from.

    python -m relief.studies.cache_images --root CITYSCAPES --split train --out DIR
    python -m relief.studies.cache_images --folder IMAGES --short_side_px 640 --out DIR

For whatever reads photographs again and again: trainings, and labels that may be as small. Keys
stay, so that labels made of the large ones fit; ground truth is not copied.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from jsonargparse import ArgumentParser
from PIL import Image

from relief.formats.files.atomic import check_writable
from relief.formats.images import read_image
from relief.formats.label_png import write_png
from relief.ops.resize import resize_image
from relief.processes.progress import with_progress
from relief.schema.errors import ReliefError, UsageError, reason_of
from relief.schema.geometry import scaled_size
from relief.schema.ranges import check_at_least
from relief.studies.cache_depth import images_given


def cache_images(
    images: Mapping[str, tuple[Path, Path]], short_side_px: int, num_threads: int | None = None
) -> dict[str, str]:
    """Writes a smaller copy of every photograph, as PNG; those that are there stay.

    Copies are resized as the pipeline resizes photographs and appear whole or not at all; one that
    is older than its photograph, damaged or of another size is made again. No image is enlarged.

    Args:
        images: Photograph and copy by key.
        short_side_px: Short side of the copies.
        num_threads: Images at the same time; as many as there are cores unless given.

    Returns:
        Why, by key, for those that could not be read.
    """

    def copy(key: str) -> tuple[str, str | None]:
        photograph, small = images[key]
        try:
            if not _is_done(photograph, small, short_side_px):
                image = read_image(photograph)
                size = _size_of_copy((image.shape[1], image.shape[2]), short_side_px)
                resized = resize_image(image[None], size)[0]
                write_png(small, resized.permute(1, 2, 0).contiguous().numpy())
        except Exception as error:
            return key, reason_of(error, key)
        return key, None

    with ThreadPoolExecutor(num_threads or os.cpu_count()) as threads:
        copied = with_progress(threads.map(copy, images), "copies", len(images))
        return {key: reason for key, reason in copied if reason is not None}


def _size_of_copy(size: tuple[int, int], short_side_px: int) -> tuple[int, int]:
    return size if min(size) <= short_side_px else scaled_size(size, short_side_px)


def _is_done(photograph: Path, small: Path, short_side_px: int) -> bool:
    try:
        if small.stat().st_mtime < photograph.stat().st_mtime:
            return False
        with Image.open(photograph) as image:
            width, height = image.size
        copied = read_image(small)
    except (OSError, ReliefError):
        return False
    fitting = {_size_of_copy(size, short_side_px) for size in ((height, width), (width, height))}
    return tuple(copied.shape[1:]) in fitting  # EXIF may have turned it


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code: 0, 1 (some images failed) or 2 (wrong use)."""
    torch.set_num_threads(1)  # images are resized side by side
    options = _parser().parse_args(arguments)
    try:
        failures = _run(options)
    except ReliefError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2 if isinstance(error, UsageError) else 1
    if failures:
        shown = "; ".join(f"{key}: {reason}" for key, reason in list(failures.items())[:3])
        print(f"error: {len(failures)} images without a copy: {shown}", file=sys.stderr)  # noqa: T201
    return 1 if failures else 0


def _run(options: Any) -> dict[str, str]:
    check_at_least(1, short_side_px=options.short_side_px, num_threads=options.num_threads)
    out = Path(options.out)
    found = images_given(options.root, options.folder, options.split)
    if options.root:
        names = {key: path.relative_to(options.root) for key, path in found.items()}
        copies = {key: (out / name).with_suffix(".png") for key, name in names.items()}
    else:
        copies = {key: out / f"{key}.png" for key in found}
    if out.resolve() == Path(options.root or options.folder).resolve():
        msg = f"copies would lie among their photographs: {out}. Give --out another folder."
        raise UsageError(msg)
    check_writable(out)
    images = {key: (path, copies[key]) for key, path in found.items()}
    return cache_images(images, options.short_side_px, options.num_threads)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="python -m relief.studies.cache_images", description=__doc__)
    parser.add_argument("--root", type=str | None, help="a Cityscapes tree")
    parser.add_argument("--split", type=str, default="train", help="of the Cityscapes tree")
    parser.add_argument("--folder", type=str | None, help="or any nested folder of images")
    parser.add_argument("--out", type=str, required=True, help="folder of the copies")
    parser.add_argument("--short_side_px", type=int, default=640)
    parser.add_argument("--num_threads", type=int | None, help="all cores unless given")
    return parser


if __name__ == "__main__":
    sys.exit(main())
