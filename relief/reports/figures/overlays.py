"""OUT/overlays/KEY.jpg: labels over photographs, to leaf through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from torch import Tensor

from relief.formats.files.atomic import write_bytes
from relief.formats.reader import LabelReader, path_of_key
from relief.ops.resize import resize_image, resize_nearest
from relief.processes.progress import with_progress
from relief.reports.figures.overlay import as_picture, paint_panoptic, palette_of
from relief.reports.figures.pictures import fit_within, jpeg
from relief.schema.categories import Category

OVERLAYS = "overlays"
_LONGEST_PX = 1280


def write_overlays(
    out: Path,
    labels: LabelReader,
    categories: Sequence[Category],
    image: Callable[[str], Tensor],
    keys: Sequence[str],
) -> None:
    """Writes an overlay for each key.

    Args:
        out: The folder that gets `overlays/`.
        labels: The label store.
        categories: Of all its ids, in order of id.
        image: (3, H, W) uint8 of a key.
        keys: Which images.

    Raises:
        ReadError: Labels or an image cannot be read.
        WriteError: A file cannot be written.
    """
    palette = palette_of([category["color"] for category in categories])
    for key in with_progress(keys, "overlays", len(keys)):
        photo, panoptic = image(key), labels.panoptic(key)
        size = fit_within((photo.shape[1], photo.shape[2]), _LONGEST_PX)
        small = resize_nearest(panoptic.permute(2, 0, 1), size).permute(1, 2, 0)
        picture = as_picture(resize_image(photo[None], size)[0])
        painted = paint_panoptic(small, palette, picture)
        write_bytes(path_of_key(Path(out) / OVERLAYS, key, ".jpg"), jpeg(painted))
