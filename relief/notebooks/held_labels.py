"""Labels that are in memory, read like a label store and kept as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from relief.formats.coco.panoptic import write_panoptic_json
from relief.formats.label_run import LabelRun
from relief.formats.segment_ids import compose_segment_ids
from relief.schema.batch import Failure
from relief.schema.categories import categories_of
from relief.schema.manifest import Manifest
from relief.schema.observation import LabelRecord


@dataclass(frozen=True)
class HeldLabels:
    """Labels by key; fits `relief.formats.reader.LabelReader`.

    Attributes:
        records: By key.
        manifest: What made them.
        file_names: Of the photographs, by key.
        failures: Images without labels.
    """

    records: Mapping[str, LabelRecord]
    manifest: Manifest
    file_names: Mapping[str, str]
    failures: Sequence[Failure] = ()

    @property
    def keys(self) -> list[str]:
        """Sorted keys of the images that have labels."""
        return sorted(self.records)

    @property
    def num_categories(self) -> int:
        """Clusters, or classes."""
        return self.manifest.num_categories

    @property
    def thing_ids(self) -> tuple[int, ...] | None:
        """Ids that are things."""
        return self.manifest.thing_ids

    def semantic(self, key: str) -> Tensor:
        """(H, W) int64 ids before splitting, -1 = ignore."""
        return self.records[key].semantic.cpu()

    def panoptic(self, key: str) -> Tensor:
        """(H, W, 2) int64 (category, instance)."""
        return self.records[key].panoptic.cpu()

    def confidence(self, key: str) -> Tensor | None:
        """(H, W) float32 in [0, 1], or `None`."""
        sure = self.records[key].confidence
        return None if sure is None else sure.cpu()

    def keep(self, out: Path, save_codebook: Callable[[Path], None]) -> None:
        """Writes the labels as label.py does.

        Args:
            out: The folder.
            save_codebook: Writes the codebook to a path, where there is one.

        Raises:
            UsageError: The folder holds labels of other settings, or cannot be written.
            WriteError: A file cannot be written.
        """
        run, manifest = LabelRun(out), self.manifest
        run.claim(manifest, overwrite=False)
        try:
            save_codebook(run.codebook_path)
            run.begin(manifest)
            for key in self.keys:
                segments = compose_segment_ids(self.panoptic(key), manifest.is_thing)
                maps = (self.semantic(key), segments, manifest.num_categories)
                run.write(key, *maps, self.confidence(key))
            for failure in self.failures:
                run.record_failure(failure)
            run.complete()
        finally:
            run.lock.release()
        categories = categories_of(manifest)
        sure = self.confidence if manifest.confidence else None
        write_panoptic_json(out, self.keys, categories, self.file_names, confidence=sure)
