"""Writes depth maps once, so that labelling and sweeps need no depth network.

    python -m relief.studies.cache_depth --depth FILE --root CITYSCAPES --split val --out DIR
    python -m relief.studies.cache_depth --depth FILE --folder IMAGES --out DIR

FILE holds `class_path` and `init_args` of a depth model. `FolderDepth` reads DIR, and what made it:
labels from these maps have the manifest of labels from the model, but for where depth comes from.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from jsonargparse import ArgumentParser
from torch import Tensor, nn

from relief.formats.depth_record import DEPTH_RECORD, depth_record_text, write_depth_record
from relief.formats.files.atomic import check_writable, write_array
from relief.formats.images import MAX_ASPECT, find_images, read_image, refuse_line
from relief.models.depth.sources import depth_at
from relief.models.weights.configured import check_weights
from relief.processes.progress import with_progress
from relief.schema.errors import ReliefError, UsageError, reason_of
from relief.schema.geometry import scaled_size
from relief.schema.parts import DepthModel
from relief.sources.cityscapes import CityscapesSource


def cache_depth(
    model: nn.Module,
    images: Mapping[str, Path],
    out: Path,
    *,
    short_side_px: int = 512,
    device: torch.device | str = "cpu",
    max_aspect: float = MAX_ASPECT,
) -> dict[str, str]:
    """Writes `OUT/KEY.npy`, float32 (h, w) in [0, 1], for every image that has none yet.

    Maps appear whole or not at all; a map that cannot be read is made again.

    Args:
        model: Already set up, on `device`.
        images: Path by key.
        out: Folder of the maps.
        short_side_px: Short side of the maps; the aspect is the image's.
        device: Where the model lives.
        max_aspect: See `refuse_line`.

    Returns:
        Why, by key, for the images that could not be read, or that the model cannot take.
    """
    failures: dict[str, str] = {}
    for key, path in with_progress(images.items(), "depth maps", len(images)):
        target = out / f"{key}.npy"
        try:
            image = read_image(path)
            refuse_line(key, image.shape[-2:], max_aspect)
            size = scaled_size((image.shape[1], image.shape[2]), short_side_px)
            if not _is_done(target, size):
                depth = depth_at(model, image.to(device).float() / 255, None, size)
                write_array(target, cast(Tensor, depth)[0, 0].float().cpu().numpy())
        except Exception as error:
            failures[key] = reason_of(error, key)
    return failures


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code: 0, 1 (some images failed) or 2 (wrong use)."""
    options = _parser().parse_args(arguments)
    try:
        failures = _run(options)
    except ReliefError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2 if isinstance(error, UsageError) else 1
    if failures:
        shown = "; ".join(f"{key}: {reason}" for key, reason in list(failures.items())[:3])
        print(f"error: {len(failures)} images without depth: {shown}", file=sys.stderr)  # noqa: T201
    return 1 if failures else 0


def _run(options: Any) -> dict[str, str]:
    check_weights(options.depth.as_dict(), [options.depth.get("__path__")])
    images = images_given(options.root, options.folder, options.split)
    images = dict(list(images.items())[: options.limit])
    out = Path(options.out) / (options.split if options.root else "")
    check_writable(out)
    model = _parser().instantiate(options).depth
    cast(DepthModel, model).setup()
    _describe(model, out, options.short_side_px, options.overwrite)
    return cache_depth(
        model.to(options.device),
        images,
        out,
        short_side_px=options.short_side_px,
        device=options.device,
        max_aspect=options.max_aspect,
    )


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="python -m relief.studies.cache_depth", description=__doc__)
    parser.add_subclass_arguments(nn.Module, "depth", required=True)
    parser.add_argument("--root", type=str | None, help="a Cityscapes tree")
    parser.add_argument("--split", type=str, default="val", help="of the Cityscapes tree")
    parser.add_argument("--folder", type=str | None, help="or any nested folder of images")
    parser.add_argument("--out", type=str, required=True, help="folder of the depth maps")
    parser.add_argument("--short_side_px", type=int, default=512)
    parser.add_argument("--max_aspect", type=float, default=MAX_ASPECT, help="of images, at most")
    parser.add_argument("--limit", type=int | None, help="only the first images by key")
    parser.add_argument(
        "--device", type=str, default="cuda" if torch.cuda.is_available() else "cpu"
    )
    parser.add_argument("--overwrite", type=bool, default=False)
    return parser


def images_given(root: str | None, folder: str | None, split: str) -> dict[str, Path]:
    """Finds the images of a split of a Cityscapes tree, or of any folder, by key.

    Raises:
        UsageError: Not one of both is given, or there are no images.
    """
    if bool(root) == bool(folder):
        raise UsageError("one folder of images is needed: --root or --folder. Give one of them.")
    if folder:
        return find_images(Path(folder))
    source = CityscapesSource(str(root), split)
    return {key: source.image_path(key) for key in source.keys}


def _describe(model: nn.Module, out: Path, short_side_px: int, overwrite: bool) -> None:
    """Writes what made the maps, once; maps of another model are never mixed in."""
    plain = {"part": f"{type(model).__module__}.{type(model).__qualname__}"}
    told: Any = {**getattr(model, "provenance", {}), **getattr(model, "description", {})}
    record = {**plain, **told, "short_side_px": short_side_px}
    path = out / DEPTH_RECORD
    if path.is_file() and path.read_text(encoding="utf-8") != depth_record_text(record):
        if not overwrite:
            msg = (
                f"depth was made with another model: {out}. Use another folder or --overwrite true."
            )
            raise UsageError(msg)
        for old in out.rglob("*.npy"):
            old.unlink()
    write_depth_record(out, record)


def _is_done(path: Path, size: tuple[int, int]) -> bool:
    try:
        return np.load(path, allow_pickle=False).shape == size
    except (OSError, ValueError, EOFError):
        return False


if __name__ == "__main__":
    sys.exit(main())
