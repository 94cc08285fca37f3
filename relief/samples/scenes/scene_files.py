"""The files of one scene, named and encoded as in Cityscapes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from relief.formats.files.atomic import write_array, write_bytes
from relief.samples.scenes.canvas import Canvas

CITIES = {
    "train": ("ahrendorf", "birkenau", "lindenfurt", "westhagen"),
    "val": ("moosbruck", "rosental", "tannheim"),
}
PARTS = ("leftImg8bit", "gtFine", "depth")
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


def _png(array: np.ndarray) -> bytes:
    done, data = cv2.imencode(".png", array, _PNG_OPTIONS)
    if not done:
        msg = f"cannot encode an array of {array.dtype} {array.shape} as PNG"
        raise ValueError(msg)
    return data.tobytes()


def write_scene(scene: SceneFile, canvas: Canvas, parts: tuple[str, ...] = PARTS) -> None:
    """Writes the files of one scene that belong to these parts of the tree."""
    paths = scene.paths
    if "leftImg8bit" in parts:
        image = np.clip(np.rint(canvas.image * 255), 0, 255).astype(np.uint8)
        write_bytes(paths["image"], _png(image[..., ::-1]))
    if "gtFine" in parts:
        write_bytes(paths["label_ids"], _png(canvas.label_ids))
        write_bytes(paths["instance_ids"], _png(canvas.instance_ids))
    if "depth" in parts:
        write_array(paths["depth"], canvas.depth.astype(np.float16))
