"""Published tables filled with our figures: from trees and stores at hand, or from the sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from jsonargparse import ArgumentParser

from relief.processes.recipes import recipe_file
from relief.schema.errors import UsageError
from relief.schema.label_spaces import CITYSCAPES_19
from relief.studies.published.table import fill, table_from
from relief.studies.scoring.label_sources import STORE, open_labels
from relief.studies.study import Study, StudyData, StudyResult, StudyTable
from relief.studies.sweeps.sweep import labels_to_make, run_sweep
from relief.studies.sweeps.sweep_plan import SweepDepth, SweepRequest

_PROBE_K = 27  # the published probe has this many centroids


class PublishedStudy(Study):
    """One published table of splitter settings.

    Args:
        table: Its rows, columns and published figures, as YAML text for `table_from`: the parser of
            the command line takes minutes over that many nested fields.
        cityscapes: Sweep that reads the published data.
        sample: Sweep of the embedded sample, which makes its labels where there are none.
        processes: Processes over images; as many as there are cores by default.
        data: What to use in place of the sample; `on` sets it.
    """

    def __init__(
        self,
        table: str,
        cityscapes: str = "configs/sweep/granularity.yaml",
        sample: str = "configs/sweep/sample_granularity.yaml",
        processes: int | None = None,
        data: StudyData | None = None,
    ) -> None:
        self.text = table
        self.table = table_from(table)
        self.cityscapes = cityscapes
        self.sample = sample
        self.processes = processes
        self.data = data or StudyData()

    def on(self, data: StudyData) -> PublishedStudy:
        """The same table on other data."""
        return PublishedStudy(self.text, self.cityscapes, self.sample, self.processes, data)

    def label_commands(self) -> list[list[str]]:
        """Arguments of label.py for the labels that the table needs."""
        sweep = self.sweep()
        return [sweep.label_command(source) for source in labels_to_make(sweep)]

    def sweep(self) -> SweepRequest:
        """The sweep that the table needs, no more of it than it looks at.

        Raises:
            UsageError: A label store cannot be read, or is of a k that the table does not have.
        """
        data = self.data
        sweep = read_sweep(Path(recipe_file(self.sample if data.on_sample else self.cityscapes)))
        sources = [source for source in sweep.sources if source.name in self.table.sources]
        split = data.split or sweep.split
        given = {_source_name(folder, split): folder for folder in data.labels}
        unknown = set(given) - {source.name for source in sources}
        if unknown:
            wanted = ", ".join(source.name for source in sources)
            msg = f"labels of {', '.join(sorted(unknown))}: the table has {wanted}. Leave them out."
            raise UsageError(msg)
        depths = sweep.depths
        if data.depth_root is not None:
            depths = [SweepDepth(depths[0].name, data.depth_root)]
        return replace(
            sweep,
            root=data.root or sweep.root,
            split=split,
            sources=[
                replace(source, labels=given[source.name], format=STORE, label_args=[])
                if source.name in given
                else source
                for source in sources
            ],
            depths=depths,
            protocols=[self.table.protocol],
            separate_area_filter=False,
            processes=self.processes,
            out=None if data.folder is None else str(data.folder),
        )

    def run(self) -> StudyResult:
        """Runs the sweep and fills the table.

        Raises:
            UsageError: There are no labels or no ground truth.
        """
        result = run_sweep(self.sweep())
        table = StudyTable(self.table.title, self.table.columns, fill(self.table, result.rows))
        return StudyResult(
            [table], result.rows, self._notes(result.failures), seconds=result.seconds
        )

    def _notes(self, failures: Sequence[str]) -> list[str]:
        source = "of the embedded sample" if self.data.on_sample else "of the data given"
        notes = [
            f"In percent, ours {source}; in brackets the published figures, of Cityscapes val.",
            self.table.note,
            self.table.sample_note if self.data.on_sample else "",
            *failures,
        ]
        return [note for note in notes if note]


def read_sweep(path: Path) -> SweepRequest:
    """A sweep from its file."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--config", action="config")
    parser.add_class_arguments(SweepRequest)
    parsed = parser.parse_args(["--config", str(path)])
    values = dict(parser.instantiate(parsed).items())
    values.pop("config")
    return SweepRequest(**values)


def _source_name(folder: str, split: str) -> str:
    k = open_labels(Path(folder), STORE, split, CITYSCAPES_19).num_categories
    return f"{k} clusters" if k == _PROBE_K else f"k={k}"
