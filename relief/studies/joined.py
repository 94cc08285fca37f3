"""Several studies whose tables have the same columns, as one table."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence

from relief.schema.errors import UsageError
from relief.studies.study import Study, StudyData, StudyResult, StudyTable


class JoinedStudies(Study):
    """Runs studies one after the other and puts the rows of their tables below each other.

    Args:
        studies: By what the rows of each are called.
        rows_of: Heading of these names.
        moved: The studies that another folder is for; the others stay on their own.

    Raises:
        UsageError: `moved` names a study that is not there.
    """

    def __init__(
        self, studies: dict[str, Study], rows_of: str = "images", moved: Sequence[str] = ()
    ) -> None:
        unknown = sorted(set(moved) - set(studies))
        if unknown:
            msg = f"moved: {', '.join(unknown)} is no study. Expected some of {', '.join(studies)}."
            raise UsageError(msg)
        self.studies: Mapping[str, Study] = studies
        self.rows_of, self.moved = rows_of, tuple(moved)

    def on(self, data: StudyData) -> Study:
        """The same studies, those of `moved` on other data."""
        joined = copy.copy(self)
        joined.studies = {
            name: study.on(data) if name in self.moved else study
            for name, study in self.studies.items()
        }
        return joined

    def label_commands(self) -> list[list[str]]:
        """Those of all studies."""
        return [words for study in self.studies.values() for words in study.label_commands()]

    def prepare(self, say: Callable[[str], None]) -> None:
        """Prepares all studies, each as it does alone."""
        for study in self.studies.values():
            study.prepare(say)

    def run(self) -> StudyResult:
        """Runs all studies.

        Raises:
            UsageError: Their tables are not alike, or a study cannot run.
        """
        results = {name: study.run() for name, study in self.studies.items()}
        headings = {tuple(tuple(t.columns) for t in one.tables) for one in results.values()}
        if len(headings) > 1:
            msg = f"tables of {', '.join(results)} have different columns. Join others."
            raise UsageError(msg)
        tables = []
        for several in zip(*(result.tables for result in results.values()), strict=True):
            named_tables = zip(results, several, strict=True)
            rows = [[name, *row] for name, table in named_tables for row in table.rows]
            columns = (self.rows_of, *several[0].columns)
            tables.append(StudyTable(several[0].title, columns, rows))
        named = results.items()
        return StudyResult(
            tables,
            [{self.rows_of: name, **run} for name, result in named for run in result.runs],
            [f"{name}: {note}" for name, result in named for note in result.notes],
            seconds=sum(result.seconds for result in results.values()),
            failures=[failure for result in results.values() for failure in result.failures],
        )
