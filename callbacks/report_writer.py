"""Writes the report and the overlays at the end of a labelling run."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch
from torch import Tensor

from relief.formats.label_run import outcome
from relief.formats.label_store import LabelStore
from relief.reports.example_panels import DepthEdges, ReportSources
from relief.reports.label_report import ReportExtent, RunDescription, write_label_report
from relief.reports.overlays import write_overlays
from relief.reports.run_facts import run_facts
from relief.schema.batch import Failure, first_reasons
from relief.schema.categories import Category, class_categories, cluster_categories
from relief.schema.errors import ReadError, reason_of
from relief.schema.label_spaces import label_space
from relief.schema.manifest import NAMES_BY_HAND, Manifest
from relief.schema.names import ClusterNames

log = logging.getLogger("relief")
LookUp = Callable[[str], Tensor | None]


class ReportWriter(pl.Callback):
    """Writes OUT/report.html and OUT/overlays, from the store and the labeller itself.

    With neither examples nor overlays, nothing is written.

    Args:
        num_examples: Images shown step by step.
        num_overlays: Images in OUT/overlays, evenly spaced over the keys.
        names: A `names.yaml` that names clusters by hand, for the pictures.
    """

    def __init__(
        self, num_examples: int = 8, num_overlays: int = 48, names: str | None = None
    ) -> None:
        self.num_examples = num_examples
        self.num_overlays = num_overlays
        self.names = names

    def on_predict_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Writes the page; after the evaluator in the list of callbacks."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        if data.current_pass != "label" or not trainer.is_global_zero:
            return
        if self.num_examples == self.num_overlays == 0:
            return
        out = Path(trainer.default_root_dir)
        store = LabelStore(out)
        if not store.keys:
            return
        start = time.perf_counter()
        try:
            self._write(out, store, data, cast(Any, pl_module))
        except ReadError as error:  # the labels are whole; an image went away since
            log.warning("no report: %s", error)
            return
        seconds = time.perf_counter() - start
        log.info("report: %.1f s", seconds, extra={"step": "report", "seconds": seconds})

    def _write(self, out: Path, store: LabelStore, data: Any, labeler: Any) -> None:
        manifest = store.manifest
        categories = self.categories(store)
        truth = data.ground_truth()
        metrics = out / "metrics.json"
        splitter: Any = getattr(labeler, "splitter", None)
        edges = None
        if hasattr(splitter, "gradient_threshold"):
            edges = DepthEdges(
                splitter.gradient_threshold, splitter.sigma, labeler.split_short_side_px
            )
        sources, failures = Lookup(data, labeler), list[Failure]()
        write_label_report(
            out,
            store,
            categories,
            ReportSources(
                image=sources.image,
                depth=or_nothing(sources.depth, failures),
                features=or_nothing(sources.features, failures),
                target=or_nothing(lambda key: self._target(truth, key, data), failures)
                if truth
                else None,
            ),
            RunDescription(
                title=out.name,
                facts=run_facts(manifest),
                supervision=(*manifest.supervision, *([NAMES_BY_HAND] if self.names else [])),
                notes=(*manifest.notes, *self._failed(manifest)),
                ids_name="Classes" if manifest.classes else "Clusters",
            ),
            groups=manifest.groups,
            edges=edges,
            space=data.label_space if truth else None,
            metrics=json.loads(metrics.read_text(encoding="utf-8"))
            if truth and metrics.exists()
            else None,
            class_of_category=self._matching(out) if truth else None,
            extent=ReportExtent(num_examples=self.num_examples),
        )
        if failures:
            log.warning("not in the report: %s", first_reasons(failures))
        step = max(1, len(store.keys) // max(1, self.num_overlays))
        keys = store.keys[::step][: self.num_overlays]
        write_overlays(out, store, categories, sources.image, keys)

    def _target(self, truth: Any, key: str, data: Any) -> Tensor | None:
        return truth.target(key, data.label_space) if truth.has_target(key) else None

    def _failed(self, manifest: Manifest) -> list[str]:
        line = outcome(manifest)
        return [] if line is None else [line]

    def _matching(self, out: Path) -> list[int] | None:
        """Which class each cluster met when it was measured, to show labels in class colours."""
        path = out / "assignment.json"
        if not path.exists():
            return None
        return json.loads(path.read_text(encoding="utf-8")).get("majority", {}).get("panoptic")

    def categories(self, store: LabelStore) -> list[Category]:
        """Names and colours of the ids of the store."""
        if store.manifest.classes is not None:
            return class_categories(label_space(store.manifest.classes))
        names = ClusterNames.read(Path(self.names)).by_cluster if self.names else None
        return cluster_categories(store.num_categories, store.thing_ids or (), names)


def or_nothing(look_up: LookUp, failures: list[Failure]) -> LookUp:
    """Returns a look-up that gives nothing where an image cannot be shown, and notes why once."""
    failed: set[str] = set()

    def look(key: str) -> Tensor | None:
        try:
            return None if key in failed else look_up(key)
        except Exception as error:
            failed.add(key)
            failures.append(Failure(key=key, reason=reason_of(error, key)))
            return None

    return look


class Lookup:
    """What the report shows of an image, by its key."""

    def __init__(self, data: Any, labeler: Any) -> None:
        self.data = data
        self.labeler = labeler

    def image(self, key: str) -> Tensor:
        """(3, H, W) uint8."""
        return self._sample(key)["image"]

    def _sample(self, key: str) -> Any:
        sample = self.data.sample(key)
        if "failure" in sample:
            raise ReadError(sample["failure"]["reason"])
        return sample

    def depth(self, key: str) -> Tensor | None:
        """(1, h, w) float32 in [0, 1], or `None`."""
        sample = self._sample(key)
        depth = sample.get("depth")
        with torch.no_grad():
            shown = self.labeler.depth_map(
                self._on_device(sample["image"]), None if depth is None else depth[None]
            )
        return None if shown is None else shown.cpu()

    def features(self, key: str) -> Tensor | None:
        """(C, h, w) float32, or `None`."""
        with torch.no_grad():
            features = self.labeler.features(self._on_device(self.image(key)))
        return None if features is None else features.cpu()

    def _on_device(self, image: Tensor) -> Tensor:
        return image.to(self.labeler.device, torch.float32) / 255
