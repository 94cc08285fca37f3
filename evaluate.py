"""Measures labels: `evaluate.py labels|sweep|study|export|diagnose ...` (`--help` says more)."""

from __future__ import annotations

import cli  # isort: skip  # before torch: it sets how OpenMP waits

import dataclasses
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console

from relief.formats.atomic import write_text
from relief.reports.class_figure import write_class_figure
from relief.reports.evaluation_tables import diagnosis_table, score_table, sweep_table
from relief.reports.study_report import study_table, write_study
from relief.reports.sweep_report import SweepPage, write_sweep_report
from relief.studies.diagnose import DiagnoseRequest, diagnose_labels
from relief.studies.export import ExportRequest, export_labels
from relief.studies.requests import parse_request
from relief.studies.score import to_json, write_scores
from relief.studies.score_runs import ScoreRequest, score_runs
from relief.studies.study import StudyRequest
from relief.studies.sweep import missing_labels, run_sweep
from relief.studies.sweep_csv import write_sweep_csv
from relief.studies.sweep_findings import findings
from relief.studies.sweep_plan import SweepRequest


def labels(request: ScoreRequest) -> int:
    """Figures of one or several runs."""
    metrics, scores = score_runs(request)
    write_scores(request.folder, scores[0], metrics)
    name, figures = next(iter(metrics.items()))
    write_class_figure(request.folder / "per_class.png", name, figures, request.space)
    Console().print(score_table(metrics))
    cli.say(f"written: {request.folder}/metrics.json, assignment.json, per_class.png")
    failures = [failure for one in scores for failure in one.failures]
    for failure in failures:
        cli.complain(failure["reason"])
    return cli.EXIT_INCOMPLETE if failures else cli.EXIT_DONE


def sweep(request: SweepRequest) -> int:
    """Many splitter settings in one pass; labels are made first where there are none."""
    for source in missing_labels(request):
        cli.say(f"no labels in {source.labels}: python label.py {' '.join(source.label_args)}")
        code = subprocess.run([sys.executable, "label.py", *source.label_args]).returncode
        if code != cli.EXIT_DONE:
            return code
    result = run_sweep(request)
    write_sweep_csv(request.folder / "sweep.csv", result.rows)
    protocol, assignment = result.rows[0]["protocol"], result.rows[0]["assignment"]
    sections = findings(result.rows, protocol, assignment)
    title = f"{len(result.rows)} rows of {request.name}"
    page = SweepPage(title, protocol, assignment, result.images, sections, result.failures)
    write_sweep_report(request.folder / "report.html", page)
    Console().print(sweep_table(sections))
    cli.say(f"written in {result.seconds:.0f} s: {request.folder}/sweep.csv, report.html")
    for line in result.failures:
        cli.complain(line)
    return cli.EXIT_INCOMPLETE if result.failures else cli.EXIT_DONE


def export(request: ExportRequest) -> int:
    """A label store in another format."""
    export_labels(request)
    cli.say(f"written: {request.out}")
    return cli.EXIT_DONE


def diagnose(request: DiagnoseRequest) -> int:
    """Dead clusters and absorbed classes."""
    found = diagnose_labels(request)
    Console().print(diagnosis_table(found.iou, found.ground_truth_px, found.absorption))
    cli.say(f"dead clusters: {len(found.dead_clusters)} of {found.num_clusters}")
    missing = ", ".join(found.classes_without_cluster) or "none"
    cli.say(f"classes without cluster under {request.assignment}: {missing}")
    if request.out:
        write_text(request.folder / "diagnosis.json", to_json(dataclasses.asdict(found)))
    return cli.EXIT_DONE


def study(request: StudyRequest) -> int:
    """One table, ours beside the published."""
    result = request.study.run()
    names = write_study(request.folder, result)
    for table in result.tables:
        Console().print(study_table(table))
    cli.say(f"written in {result.seconds:.0f} s: {request.folder}/{', '.join(names)}")
    return cli.EXIT_DONE


COMMANDS: dict[str, tuple[type, Callable[[Any], int]]] = {
    "labels": (ScoreRequest, labels),
    "sweep": (SweepRequest, sweep),
    "study": (StudyRequest, study),
    "export": (ExportRequest, export),
    "diagnose": (DiagnoseRequest, diagnose),
}


def main(args: Sequence[str] | None = None) -> int:
    """Runs one of the commands."""
    cli.quiet_libraries()
    requests = {name: request for name, (request, _) in COMMANDS.items()}
    given = list(sys.argv[1:] if args is None else args)
    name, request = parse_request(requests, given, cli.CONFIGS / "studies")
    return COMMANDS[name][1](request)


if __name__ == "__main__":
    sys.exit(cli.exit_code(main))
