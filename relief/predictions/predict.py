"""A trained detector on images and videos: panoptic maps, objects, pictures, how fast."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from relief.formats.coco.instances import INSTANCES, write_coco_instances
from relief.formats.coco.panoptic import (
    JSON,
    DescribedImage,
    own_segments,
    write_panoptic_json,
)
from relief.formats.files.atomic import check_writable, write_bytes, write_text
from relief.formats.images import refuse_line
from relief.formats.label_store import PANOPTIC, panoptic_path
from relief.formats.reader import path_of_key
from relief.formats.segment_ids import (
    INSTANCE_BITS,
    read_segment_ids,
    segment_ids,
    split_segment_ids,
    write_segment_ids,
)
from relief.formats.video import whole_video
from relief.models.segmenters.checkpoint import SegmenterCheckpoint
from relief.models.segmenters.prediction.predictor import PanopticPredictor
from relief.notebooks.given_images import GivenImage
from relief.ops.objects.carried_ids import CarriedIds
from relief.ops.objects.instance_masks import panoptic_instances
from relief.predictions.clips import Clip
from relief.processes.progress import with_progress
from relief.reports.figures.overlay import Picture, as_picture, paint_panoptic, palette_of
from relief.reports.figures.overlays import OVERLAYS
from relief.reports.figures.pictures import jpeg
from relief.schema.batch import Failure
from relief.schema.categories import Category, class_categories, cluster_categories
from relief.schema.errors import UsageError, reason_of
from relief.schema.instances import ImageInstances
from relief.schema.label_spaces import label_space, thing_mask
from relief.schema.observation import LabelRecord

PREDICTION = "prediction.json"
_MADE = (PANOPTIC, OVERLAYS, JSON, INSTANCES, PREDICTION)


@dataclass
class Prediction:
    """The outcome of a prediction.

    Attributes:
        images: How many were predicted.
        seconds: That all of it took.
        network_seconds: That the network and its merging took.
        failures: Images that could not be read or predicted.
    """

    images: int = 0
    seconds: float = 0.0
    network_seconds: float = 0.0
    failures: list[Failure] = field(default_factory=list)

    @property
    def speed(self) -> str:
        """Images per second in a sentence."""
        whole, network = (
            self.images / max(seconds, 1e-9) for seconds in (self.seconds, self.network_seconds)
        )
        return (
            f"{self.images} images in {self.seconds:.1f} s: {whole:.2f} images/s "
            f"(the network alone {network:.2f})"
        )


class Predictor:
    """Writes what a network sees in clips.

    Args:
        trained: The checkpoint.
        predictor: How outputs become a map.
        out: Gets `panoptic/KEY.png`, `panoptic.json`, `instances.json`, `overlays/KEY.jpg` for
            images and `overlays/NAME.mp4` for videos, and `prediction.json`.
        device: Where the network computes.
        carry_ids: Whether an object keeps its number from frame to frame.
        overlays: Whether pictures are made.

    Raises:
        WeightsError: The checkpoint is of another network.
        UsageError: Maps cannot be made of its classes.
    """

    def __init__(
        self,
        trained: SegmenterCheckpoint,
        predictor: PanopticPredictor,
        out: Path,
        device: torch.device,
        *,
        carry_ids: bool = False,
        overlays: bool = True,
    ) -> None:
        predictor.check(trained.classes)
        self.trained, self.predictor, self.out, self.device = trained, predictor, out, device
        self.carry_ids, self.overlays = carry_ids, overlays
        self.network: nn.Module = trained.build().to(device)
        self._described: list[DescribedImage] = []
        self._file_names: dict[str, str] = {}
        self._palette = palette_of([category["color"] for category in self.categories])
        self._is_thing = thing_mask(trained.classes.things, trained.classes.num_categories)

    @property
    def categories(self) -> list[Category]:
        """Names and colours of what the network was trained for, in order of id."""
        classes, named = self.trained.classes, self.trained.origin.label_classes
        if named is not None:
            return class_categories(label_space(named))
        return cluster_categories(classes.num_categories, classes.things)

    def claim(self, *, overwrite: bool) -> None:
        """Takes the output folder, before any work.

        Raises:
            UsageError: It cannot be written, or holds predictions already.
        """
        there = [self.out / name for name in _MADE if (self.out / name).exists()]
        if there and not overwrite:
            msg = f"{self.out} is in use: {there[0].name}. Use another folder or --overwrite true."
            raise UsageError(msg)
        check_writable(self.out)
        for path in there:
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def run(self, clips: Sequence[Clip]) -> Prediction:
        """Predicts all frames of all clips; one that fails does not stop the others.

        Raises:
            WriteError: A file cannot be written.
        """
        outcome, start = Prediction(), time.perf_counter()
        for clip in clips:
            self._clip(clip, outcome)
        outcome.images = len(self._described)
        self._described.sort(key=lambda image: image["key"])
        self._write_json()
        outcome.seconds = time.perf_counter() - start
        self._write_record(outcome)
        return outcome

    def _clip(self, clip: Clip, outcome: Prediction) -> None:
        carried = CarriedIds() if self.carry_ids else None
        with self._pictures(clip) as show:
            frames = with_progress(clip.frames, clip.name or "images", clip.count)
            try:
                for frame in frames:
                    self._frame(frame, carried, show, outcome)
            except Exception as error:  # of the video itself; those of a frame are noted there
                outcome.failures.append(Failure(key=clip.name, reason=reason_of(error, clip.name)))

    def _frame(
        self,
        frame: GivenImage,
        carried: CarriedIds | None,
        show: Callable[[str, Picture], None] | None,
        outcome: Prediction,
    ) -> None:
        try:
            pixels = frame.read()
            refuse_line(frame.key, pixels.shape[-2:])
            start = time.perf_counter()
            record = self._predicted(pixels)
            outcome.network_seconds += time.perf_counter() - start
            panoptic = record.panoptic if carried is None else carried(record.panoptic)
            self._describe(frame, panoptic, record.confidence)
        except Exception as error:
            outcome.failures.append(Failure(key=frame.key, reason=reason_of(error, frame.key)))
            return
        if show is not None:
            show(frame.key, paint_panoptic(panoptic, self._palette, as_picture(pixels)))

    def _predicted(self, pixels: Tensor) -> LabelRecord:
        image: Any = pixels.to(self.device).float() / 255
        with torch.inference_mode():
            record = self.predictor.record(self.network, self.trained.classes, image)  # type: ignore[arg-type]
        sure = None if record.confidence is None else record.confidence.cpu()
        return LabelRecord(record.semantic.cpu(), record.panoptic.cpu(), sure)

    def _describe(self, frame: GivenImage, panoptic: Tensor, confidence: Tensor | None) -> None:
        """Writes the map of a frame and keeps its segments, with scores."""
        ids = segment_ids(panoptic, self._is_thing)
        segments = own_segments(ids, confidence)
        write_segment_ids(panoptic_path(self.out, frame.key), ids)
        height, width = ids.shape
        self._described.append(
            DescribedImage(key=frame.key, height=height, width=width, segments_info=segments)
        )
        self._file_names[frame.key] = frame.file_name

    def _pictures(
        self, clip: Clip
    ) -> AbstractContextManager[Callable[[str, Picture], None] | None]:
        """Takes overlays with their key: frames of a video, or pictures of their own."""
        if not self.overlays:
            return nullcontext()
        folder = self.out / OVERLAYS
        if clip.name:
            return _video(path_of_key(folder, clip.name, ".mp4"), clip.fps)
        return nullcontext(
            lambda key, picture: write_bytes(path_of_key(folder, key, ".jpg"), jpeg(picture))
        )

    def _write_json(self) -> None:
        keys, supervision = [d["key"] for d in self._described], self.trained.origin.supervision
        write_panoptic_json(
            self.out, keys, self.categories, self._file_names, supervision, self._described
        )
        things = [category for category in self.categories if category["isthing"]]
        write_coco_instances(self.out / INSTANCES, self._instances(), things, supervision)

    def _instances(self) -> Iterator[tuple[str, ImageInstances]]:
        things = self.trained.classes.things
        for image in self._described:
            ids = read_segment_ids(panoptic_path(self.out, image["key"]))
            instances = panoptic_instances(torch.stack(split_segment_ids(ids), dim=-1), things)
            objects = [s for s in image["segments_info"] if s["category_id"] in things]
            scores = np.array([segment.get("score", 1.0) for segment in objects])
            numbers = np.array([s["id"] & (1 << INSTANCE_BITS) - 1 for s in objects], np.int64)
            tracks = numbers if self.carry_ids else None
            yield self._file_names[image["key"]], instances.with_scores(scores, tracks)

    def _write_record(self, outcome: Prediction) -> None:
        content = {
            "checkpoint": self.trained.path.name,
            "checkpoint_sha256": self.trained.sha256,
            "supervision": list(self.trained.origin.supervision),
            "notes": list(self.trained.origin.notes),
            "carried_ids": self.carry_ids,
            "images": outcome.images,
            "failures": {one["key"]: one["reason"] for one in outcome.failures},
        }
        write_text(self.out / PREDICTION, json.dumps(content, indent=1) + "\n")


@contextmanager
def _video(path: Path, fps: float) -> Iterator[Callable[[str, Picture], None]]:
    """Takes overlays as the frames of a video."""
    with whole_video(path, fps) as add:
        yield lambda _, picture: add(picture)
