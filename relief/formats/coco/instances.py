"""COCO instance JSON: objects of images with boxes, masks and scores, of anyone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from relief.formats.coco.annotation import Annotated, Misfit, joined_instances, read_annotation
from relief.formats.coco.json_files import MALFORMED, json_pieces, key_of_file_name, whole_number
from relief.formats.files.atomic import whole_file
from relief.formats.reader import entry_of
from relief.ops.objects.instance_masks import decoded
from relief.ops.objects.mask_polygons import mask_polygons
from relief.schema.categories import Category
from relief.schema.errors import ReadError, UsageError
from relief.schema.instances import ImageInstances
from relief.schema.plain_text import json_of

INSTANCES = "instances.json"
_LARGEST_PX = 2**16


class CocoImage(NamedTuple):
    """An image of a file: its id there, the name of its photograph, (height, width)."""

    id: Any
    file_name: str
    size: tuple[int, int]


class _Content(NamedTuple):
    images: dict[str, CocoImage]  # by key, sorted
    annotations: dict[Any, list[dict[str, Any]]]  # by image id
    categories: dict[int, str]  # names by id, ascending


class CocoInstances:
    """Reads the instances of a COCO JSON, or of a list of results with the images of another one.

    Masks are polygons, run lengths or compressed run lengths. An image keeps the boxes and areas
    that the file gives; predictions, which have scores, have the area of their mask, or else of
    their box, as pycocotools has it. A box alone is no mask: files without masks hold boxes only.

    Fits `relief.schema.instances.InstanceReader`.

    Args:
        json_path: The JSON.
        truth: The file that the image and category ids of a bare list of results are of.
    """

    def __init__(self, json_path: str | Path, truth: CocoInstances | None = None) -> None:
        self.json_path = Path(json_path)
        self.truth = truth

    @cached_property
    def _content(self) -> _Content:
        return _read(self.json_path, self.truth)

    @property
    def keys(self) -> list[str]:
        """Sorted keys of the images.

        Raises:
            UsageError: The file is missing or holds something else.
        """
        return list(self._content.images)

    @property
    def categories(self) -> dict[int, str]:
        """Names of the categories by id, ascending."""
        return self._content.categories

    @cached_property
    def has_masks(self) -> bool:
        """Whether instances have masks, not boxes only."""
        entries = self._content.annotations.values()
        return any(annotation.get("segmentation") for some in entries for annotation in some)

    def __contains__(self, key: str) -> bool:
        """Returns whether the file lists an image of that key."""
        return key in self._content.images

    def image(self, key: str) -> CocoImage:
        """Returns what the file says of an image; raises `ReadError` where it knows none."""
        return entry_of(self._content.images, key, self.json_path)

    def instances(self, key: str) -> ImageInstances:
        """Returns the instances of an image, categories as in the file.

        Raises:
            ReadError: The file knows no such image, or an instance of it is malformed.
        """
        image = self.image(key)
        instances: list[Annotated] = []
        for annotation in self._content.annotations.get(image.id, ()):
            problem = f"{key}, annotation {annotation.get('id', len(instances) + 1)}"
            try:
                instances.append(read_annotation(annotation, image.size, has_mask=self.has_masks))
            except MALFORMED as error:
                told = str(error) if isinstance(error, Misfit) else "values of another kind"
                msg = f"cannot read instances: {self.json_path} ({problem}: {told}). Mend the file."
                raise ReadError(msg) from error
        return joined_instances(instances, image.size, has_masks=self.has_masks)


def write_coco_instances(
    path: Path,
    images: Iterable[tuple[str, ImageInstances]],
    categories: Sequence[Category],
    supervision: Sequence[str] = (),
    tolerance_px: float | None = None,
) -> None:
    """Writes instances with compressed run lengths or polygons, image by image.

    Images and instances are numbered from 1 in the order given.

    Args:
        path: The JSON.
        images: File name of the photograph, and what is on it.
        categories: Of the ids of the instances; in the file ids are one higher, for 0 means
            background to many readers.
        supervision: What the labels depended on; kept under `info`.
        tolerance_px: How far the border of a polygon may move; `None` writes run lengths.

    Raises:
        WriteError: The file cannot be written.
    """
    written: list[dict[str, Any]] = []

    def annotations() -> Iterator[dict[str, Any]]:
        number = 0
        for image_id, (file_name, instances) in enumerate(images, start=1):
            height, width = instances.size
            sides = {"height": height, "width": width}
            written.append({"id": image_id, "file_name": file_name, **sides})
            for i in range(len(instances)):
                number += 1
                yield {"id": number, "image_id": image_id, **_entry(instances, i, tolerance_px)}

    numbered = [{**category, "id": category["id"] + 1} for category in categories]
    content: dict[str, Iterable[Any] | dict[str, Any]] = {
        "annotations": annotations(),
        "categories": numbered,
        "images": written,
    }
    if supervision:
        content["info"] = {"supervision": list(supervision)}
    with whole_file(path) as file:
        for text in json_pieces(content):
            file.write(text.encode())


def _entry(instances: ImageInstances, i: int, tolerance_px: float | None) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "category_id": int(instances.category[i]) + 1,
        "bbox": instances.boxes[i].tolist(),
        "area": float(instances.area_px[i]),
        "iscrowd": int(instances.crowd[i]),
        "score": float(instances.scores[i]),
    }
    if instances.tracks is not None:
        entry["track_id"] = int(instances.tracks[i])
    if instances.masks is not None and tolerance_px is not None:
        polygons = mask_polygons(decoded(instances.masks[i]), tolerance_px)
        entry["segmentation"] = [polygon.reshape(-1).tolist() for polygon in polygons]
    elif instances.masks is not None:
        mask = instances.masks[i]
        entry["segmentation"] = {"size": mask["size"], "counts": mask["counts"].decode("ascii")}
    return entry


def _read(path: Path, truth: CocoInstances | None) -> _Content:
    """Reads a file and checks what its entries refer to; raises `UsageError`."""
    problem = "not a readable JSON file"
    try:
        content = json_of(path.read_bytes())
        if isinstance(content, list):
            problem = "a list of results; its images are those of --truth FILE.json"
            if truth is None:
                raise ValueError(problem)
            images, categories = truth._content.images, truth._content.categories
            entries = content
        else:
            problem = "no images, annotations and categories"
            entries = list(content["annotations"])
            listed, named = list(content["images"]), list(content["categories"])
            problem = "images without id, file_name, height and width"
            images = _images(listed)
            problem = "categories without a whole number as id"
            categories = {whole_number(c["id"]): str(c.get("name", c["id"])) for c in named}
        problem = "annotations without image_id and category_id"
        known = {image.id for image in images.values()}
        of_image: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        for entry in entries:
            of_image[entry["image_id"]].append(entry)
            if entry["category_id"] not in categories:
                problem = f"category {entry['category_id']} is used and not listed"
                raise ValueError(problem)
        if unknown := [image for image in of_image if image not in known]:
            problem = f"image {unknown[0]} is used and not listed"
            raise ValueError(problem)
    except MALFORMED as error:
        told = str(error) if isinstance(error, Misfit) else problem
        msg = f"cannot read COCO instances: {path} ({told}). Give an instance JSON file."
        raise UsageError(msg) from error
    return _Content(images, dict(of_image), dict(sorted(categories.items())))


def _images(listed: Sequence[dict[str, Any]]) -> dict[str, CocoImage]:
    """Returns images by sorted key; raises a `Misfit` where two share one."""
    images: dict[str, CocoImage] = {}
    for image in listed:
        name = image.get("file_name") or "/".join(image["coco_url"].split("/")[-2:])  # LVIS
        height, width = (whole_number(image[side], _LARGEST_PX) for side in ("height", "width"))
        key = key_of_file_name(name)
        if key in images:
            raise Misfit(f"two images of {key}")
        images[key] = CocoImage(image["id"], name, (height, width))
    return dict(sorted(images.items()))
