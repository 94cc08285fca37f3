"""Writes the report and the overlays at the end of a labelling run."""

from __future__ import annotations

import dataclasses
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
from relief.formats.reader import refuse_other_shape
from relief.reports.figures.example_panels import DepthEdges, ReportSources
from relief.reports.figures.overlays import write_overlays
from relief.reports.health import read_health, refuse_red
from relief.reports.label_report import ReportExtent, RunDescription, write_label_report
from relief.reports.run_facts import run_facts
from relief.reports.thing_decisions import thing_decisions
from relief.schema.batch import Failure, PanopticPrediction, first_reasons
from relief.schema.categories import Category, categories_of
from relief.schema.errors import ReadError, reason_of
from relief.schema.manifest import NAMES_BY_HAND, Manifest
from relief.schema.names import ClusterNames
from relief.schema.observation import DEPTH, FEATURES, PICTURED, LabelRecord, Observation
from relief.schema.selection import evenly_spaced
from relief.splitters.depth_gradient import DepthGradientSplitter

log = logging.getLogger("relief")
LookUp = Callable[[str], Tensor | None]


class ReportWriter(pl.Callback):
    """Writes OUT/report.html and OUT/overlays, from the store and the labeller itself.

    With neither examples nor overlays, nothing is written, unless its findings may end the run.

    Args:
        num_examples: Images shown step by step.
        num_overlays: Images in OUT/overlays, evenly spaced over the keys.
        names: A `names.yaml` that names clusters by hand, for the pictures.
        strict: Whether labels about which the report says red end the run with exit code 1.
    """

    def __init__(
        self,
        num_examples: int = 8,
        num_overlays: int = 48,
        names: str | None = None,
        strict: bool = False,
    ) -> None:
        self.num_examples = num_examples
        self.num_overlays = num_overlays
        self.names = names
        self.strict = strict
        self._seen: dict[str, Observation] = {}

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Says of which images the steps are going to be shown."""
        labeler, data = cast(Any, pl_module), trainer.datamodule  # type: ignore[attr-defined]
        if data.current_pass == "label" and hasattr(labeler, "pictured"):
            keys = sorted(item.key for item in data.items_of_pass)
            labeler.pictured = frozenset(evenly_spaced(keys, self.num_examples))

    def on_predict_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: PanopticPrediction | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps what was seen of these images, so that no network looks at them again."""
        del trainer, batch, batch_idx, dataloader_idx
        for key, record in zip(*_pairs(outputs), strict=True):
            if key in cast(Any, pl_module).pictured and record.observation is not None:
                self._seen[key] = _on_cpu(record.observation)

    def on_predict_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Writes the page; after the evaluator in the list of callbacks."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        if data.current_pass != "label" or not trainer.is_global_zero:
            return
        if self.num_examples == self.num_overlays == 0 and not self.strict:
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
        if self.strict:
            refuse_red(read_health(out))

    def _write(self, out: Path, store: LabelStore, data: Any, labeler: Any) -> None:
        manifest = store.manifest
        categories = self.categories(store)
        truth = data.ground_truth()
        metrics = out / "metrics.json"
        splitter: Any = getattr(labeler, "splitter", None)
        edges = None
        if isinstance(splitter, DepthGradientSplitter):
            edges = DepthEdges(
                splitter.gradient_threshold,
                splitter.sigma,
                labeler.split_short_side_px,
                splitter.sharpening,
                splitter.min_area_px,
                splitter.dilation_px,
            )
        sources, failures = Lookup(data, labeler, self._seen), list[Failure]()
        write_label_report(
            out,
            store,
            categories,
            ReportSources(
                image=sources.image,
                confidence=store.confidence,
                depth=or_nothing(sources.depth, failures),
                features=or_nothing(sources.features, failures),
                target=or_nothing(lambda key: self._target(truth, store, key), failures)
                if truth
                else None,
            ),
            RunDescription(
                title=out.name,
                facts=run_facts(manifest),
                supervision=(*manifest.supervision, *([NAMES_BY_HAND] if self.names else [])),
                notes=(*manifest.notes, *self._failed(manifest)),
                decisions=thing_decisions(_thing_record(labeler), [c["name"] for c in categories]),
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
        keys = evenly_spaced(store.keys, self.num_overlays)
        write_overlays(out, store, categories, sources.image, keys)

    def _target(self, truth: Any, store: LabelStore, key: str) -> Tensor | None:
        if truth.target_path(key) is None:
            return None
        target: Tensor = truth.target(key)
        refuse_other_shape(key, target.shape[:2], store.semantic(key).shape, "ground truth")
        return target

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
        names = ClusterNames.read(Path(self.names)).by_cluster if self.names else None
        return categories_of(store.manifest, names)


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
    """Look-ups of the pictures of an image, by its key."""

    def __init__(self, data: Any, labeler: Any, seen: dict[str, Observation]) -> None:
        self.data, self.labeler, self.seen = data, labeler, seen

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
        observation = self._observation(key)
        return None if observation is None or observation.depth is None else observation.depth[0]

    def features(self, key: str) -> Tensor | None:
        """(C, h, w) float32, or `None`."""
        observation = self._observation(key)
        if observation is None or observation.features is None:
            return None
        return observation.features[0]

    def _observation(self, key: str) -> Observation | None:
        """Returns the labeller's observation; other images are looked at again."""
        if key not in self.seen:
            sample, device = self._sample(key), self.labeler.device
            depth = sample.get("depth")
            given = None if depth is None else depth[None].to(device)
            image = sample["image"].to(device, torch.float32) / 255
            with torch.no_grad():
                record = self.labeler.label_by_key(key, image, given, PICTURED)
            if record.observation is None:
                return None
            self.seen[key] = _on_cpu(record.observation)
        return self.seen[key]


def _thing_record(labeler: Any) -> dict[str, Any] | None:
    """Looks up what the rule that told things from stuff recorded, where one did."""
    codebook = getattr(labeler, "codebook", None)
    return None if codebook is None else codebook.metadata.get("things")


def _pairs(outputs: PanopticPrediction | None) -> tuple[list[str], list[LabelRecord]]:
    return ([], []) if outputs is None else (outputs["key"], outputs["records"])


def _on_cpu(observation: Observation) -> Observation:
    maps = (FEATURES, DEPTH)
    return dataclasses.replace(
        observation,
        image=None,
        **{name: value.cpu() for name in maps if (value := getattr(observation, name)) is not None},
    )
