"""A page on which a person looks at the least sure objects and decides about them."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from relief.formats.files.atomic import write_bytes, write_text
from relief.formats.label_instances import LabelInstances
from relief.processes.progress import with_progress
from relief.reports.figures.overlay import as_picture, paint_instances
from relief.reports.figures.pictures import fit_within, jpeg, resized
from relief.reports.labelled_images import LabelledImages, PageRequest
from relief.reports.pages import page_templates
from relief.schema.instances import ImageInstances
from relief.schema.label_spaces import VOID

PAGE = "review.html"
PICTURES = "pictures"  # beside the page: a browser reads those that it shows
_LONGEST_PX = 960
_SMALL_SHARE = 0.0005  # of the image
_LARGE_SHARE = 0.4


@dataclass(frozen=True)
class ReviewRequest(PageRequest):
    """Makes a page of the least sure images and objects, on which a person decides about them.

    Args:
        labels: The label store.
        photographs: The folder that was labelled.
        out: Where review.html and its pictures go.
        images: How many images are shown, the least sure first.
    """

    images: int = 200

    def write(self) -> Path:
        """Writes the page; returns its path.

        Raises:
            UsageError: There is no store, or no folder of photographs.
            ReadError: Labels or a photograph cannot be read.
            WriteError: The page cannot be written.
        """
        return write_review_page(self)


class ReviewedImage(NamedTuple):
    """How sure the labels of an image are; the least sure sort first.

    Attributes:
        sureness: Mean score of its objects, less a tenth for each doubt that an object raises.
        key: The image.
    """

    sureness: float
    key: str


def doubts(instances: ImageInstances, i: int) -> list[str]:
    """Returns why an object may be wrong, in words; no ground truth is asked.

    Args:
        instances: Of its image.
        i: Its number among them.
    """
    height, width = instances.size
    share = instances.area_px[i] / (height * width)
    x, y, box_width, box_height = instances.boxes[i]
    found = []
    if share < _SMALL_SHARE:
        found.append("very small")
    if share > _LARGE_SHARE:
        found.append("covers much of the image")
    if instances.area_px[i] < 0.25 * box_width * box_height:
        found.append("fills little of its box")
    if (y <= 0 and y + box_height >= height) or (x <= 0 and x + box_width >= width):
        found.append("reaches from border to border")
    return found


def write_review_page(request: ReviewRequest) -> Path:
    """Writes the page, as `ReviewRequest.write`."""
    images = LabelledImages(request.labels, request.photographs)
    reader = LabelInstances(images.store, images.store.confidence)
    asked = with_progress(_sureness(reader), "review", len(reader.keys))
    shown = heapq.nsmallest(request.images, asked)
    entries = [
        {**_entry(images, reader, one), **_pictures(request.folder, number, images, one.key)}
        for number, one in enumerate(with_progress(shown, "page", len(shown)), 1)
    ]
    manifest = images.store.manifest
    page = page_templates().get_template("review_page.html")
    text = page.render(
        title=images.store.out.name,
        total=len(reader.keys),
        shown=len(shown),
        is_sure=manifest.confidence is not None,
        images=entries,
        categories=[category["name"] for category in images.categories],
        labels=manifest.settings_digest(),
    )
    write_text(request.folder / PAGE, text)
    return request.folder / PAGE


def _sureness(reader: LabelInstances) -> Iterator[ReviewedImage]:
    for key in reader.keys:
        instances = reader.instances(key)
        each = [
            instances.scores[i] - 0.1 * len(doubts(instances, i)) for i in range(len(instances))
        ]
        yield ReviewedImage(float(np.mean(each)) if each else 0.0, key)


def _entry(images: LabelledImages, reader: LabelInstances, of: ReviewedImage) -> dict[str, Any]:
    instances = reader.instances(of.key)
    is_thing = images.store.manifest.is_thing
    pairs = images.store.panoptic(of.key).reshape(-1, 2)
    pairs = pairs[(pairs[:, 1] > 0) & (pairs[:, 0] != VOID)].unique(dim=0)
    pairs = pairs[is_thing[pairs[:, 0]]].tolist()  # in the order of the instances
    scale = np.array(instances.size[::-1] * 2)
    objects = [
        {
            "category": category,
            "instance": instance,
            "score": round(float(instances.scores[i]), 3),
            "doubts": doubts(instances, i),
            "box": (100 * instances.boxes[i] / scale).round(2).tolist(),
        }
        for i, (category, instance) in enumerate(pairs)
    ]
    objects.sort(key=lambda one: one["score"] - 0.1 * len(one["doubts"]))
    return {"key": of.key, "sureness": round(of.sureness, 3), "objects": objects}


def _pictures(folder: Path, number: int, images: LabelledImages, key: str) -> dict[str, str]:
    """Writes the pictures of an image; returns where they lie, as seen from the page."""
    picture = as_picture(images.photograph(key))
    painted = paint_instances(images.store.panoptic(key), images.store.manifest.is_thing, picture)
    size = fit_within((picture.shape[0], picture.shape[1]), _LONGEST_PX)
    names = {}
    for name, shown in (("photograph", picture), ("painted", painted)):
        names[name] = f"{PICTURES}/{number:06d}_{name}.jpg"
        write_bytes(folder / names[name], jpeg(resized(shown, size)))
    return names
