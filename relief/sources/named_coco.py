"""Data sets that class-agnostic detectors are measured on, by name: files in their usual places.

Names and places as in Wang et al., "Cut and Learn for Unsupervised Object Detection and Instance
Segmentation", 2023; where a set is published as COCO JSON by its authors, that file is read.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from relief.schema.errors import UsageError
from relief.sources.coco_instances import CocoInstancesSource

Name = Literal[
    "coco_val2017",
    "coco20k",
    "lvis_val",
    "uvo_val_sparse",
    "voc_2007",
    "clipart",
    "watercolor",
    "comic",
    "kitti",
    "objects365_val",
    "openimages_val",
]


class _Place(NamedTuple):
    annotations: str
    images: str


_PLACES: dict[str, _Place] = {
    "coco_val2017": _Place("coco/annotations/instances_val2017.json", "coco/val2017"),
    "coco20k": _Place("coco/annotations/coco20k_trainval_gt.json", "coco/train2014"),
    "lvis_val": _Place("coco/annotations/lvis_v1_val.json", "coco"),
    "uvo_val_sparse": _Place("uvo/annotations/UVO_sparse_val.json", "uvo/all_UVO_frames"),
    "voc_2007": _Place("voc/annotations/trainvaltest_2007_cls_agnostic.json", "voc/JPEGImages"),
    "clipart": _Place("clipart/annotations/traintest_cls_agnostic.json", "clipart/JPEGImages"),
    "watercolor": _Place(
        "watercolor/annotations/traintest_cls_agnostic.json", "watercolor/JPEGImages"
    ),
    "comic": _Place("comic/annotations/traintest_cls_agnostic.json", "comic/JPEGImages"),
    "kitti": _Place("kitti/annotations/trainval_cls_agnostic.json", "kitti/JPEGImages"),
    "objects365_val": _Place(
        "objects365/annotations/zhiyuan_objv2_val_cls_agnostic.json", "objects365/val"
    ),
    "openimages_val": _Place(
        "openImages/annotations/openimages_val_cls_agnostic.json", "openImages/validation"
    ),
}


class NamedCocoSource(CocoInstancesSource):
    """The objects of a known data set; `CocoInstancesSource` for files that lie elsewhere.

    Args:
        name: Which.
        root: The folder that holds the data sets.
        collapse: Whether all categories become the one class `object`, as zero-shot tables have it.

    Raises:
        UsageError: No data set has that name.
    """

    free_arguments = frozenset({"root"})

    def __init__(self, name: Name, root: str | Path, *, collapse: bool = True) -> None:
        if name not in _PLACES:
            msg = f"unknown data set: name={name}. Use one of {', '.join(get_args(Name))}."
            raise UsageError(msg)
        self.name, self.data_root = name, Path(root)
        annotations, images = (Path(root) / place for place in _PLACES[name])
        super().__init__(annotations, images, split=name, collapse=collapse)

    @cached_property
    def keys(self) -> list[str]:
        """Sorted keys of the images.

        Raises:
            UsageError: Files are not there; all of them are named.
        """
        files = [self.data_root / place for place in _PLACES[self.name]]
        missing = [str(file) for file in files if not file.exists()]
        if missing:
            said = " and no ".join(missing)
            msg = f"{self.name} is not there: no {said}. Check root={self.data_root}."
            raise UsageError(msg)
        return super().keys
