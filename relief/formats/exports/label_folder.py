"""A label store of corrected, reviewed or named labels, for trainings and everything else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from relief.formats.coco.panoptic import write_panoptic_json
from relief.formats.exports.exporter import ExportedLabels, Exporter
from relief.formats.label_store import (
    write_confidence,
    write_manifest,
    write_panoptic,
    write_semantic,
)
from relief.processes.progress import with_progress
from relief.schema.label_spaces import thing_mask
from relief.schema.manifest import Manifest


class StoreExport(Exporter):
    """Writes another label store; its manifest names the one it came from, last."""

    def write(self, out: Path, exported: ExportedLabels) -> None:
        """Writes the labels, as `Exporter.write`."""
        labels, count = exported.labels, len(exported.categories)
        is_thing = thing_mask([category["id"] for category in exported.things], count)
        is_sure = False
        for key in with_progress(labels.keys, "label store", len(labels.keys)):
            write_semantic(out, key, labels.semantic(key), count)
            write_panoptic(out, key, labels.panoptic(key), is_thing)
            confidence = exported.confidence(key)
            if confidence is not None:
                write_confidence(out, key, confidence)
                is_sure = True
        about = (exported.categories, exported.file_names, exported.supervision)
        confidence_of = exported.confidence if is_sure else None
        write_panoptic_json(out, labels.keys, *about, confidence=confidence_of)
        write_manifest(out, self._manifest(exported, is_sure=is_sure))

    def _manifest(self, exported: ExportedLabels, *, is_sure: bool) -> Manifest:
        before, keys = exported.manifest, exported.labels.keys
        things = tuple(category["id"] for category in exported.things)
        same_ids = (len(exported.categories), things) == (before.num_categories, before.thing_ids)
        alone = [things.index(i) if i in things else -1 for i in range(len(exported.categories))]
        return replace(
            before,
            k=len(exported.categories) if exported.space is None else before.k,
            label_space="clusters" if exported.space is None else "oracle_classes",
            classes=None if exported.space is None else exported.space.name,
            parts={**before.parts, "labels_before": before.settings_digest()},
            thing_ids=things,
            groups=before.groups if same_ids else tuple(alone),
            codebook=before.codebook if same_ids else None,
            confidence=before.confidence if is_sure else None,
            supervision=tuple(exported.supervision),
            images=dict.fromkeys(keys, "labelled"),
            inputs={key: before.inputs[key] for key in keys if key in before.inputs},
            failures={},
            shard_size=None,
        )
