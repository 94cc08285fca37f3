"""Measures labels: `evaluate.py labels|sweep|study|export|diagnose ...` (`--help` says more)."""

from __future__ import annotations

import cli  # isort: skip  # before torch: it sets how OpenMP waits

import sys
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console

from relief.formats.atomic import writable
from relief.models.weights.configured import check_weights
from relief.processes.label_script import make_labels
from relief.reports import evaluation_tables as tables
from relief.reports.class_figure import write_class_figure
from relief.reports.study_report import study_table, write_study
from relief.reports.sweep_report import SweepPage, write_sweep_report
from relief.studies.export import ExportRequest, export_labels
from relief.studies.requests import OBJECTS, parse_request
from relief.studies.scoring import object_diagnosis as objects
from relief.studies.scoring.diagnose import DiagnoseRequest, diagnose_labels, write_diagnosis
from relief.studies.scoring.score import write_scores
from relief.studies.scoring.score_runs import ScoreRequest, score_runs
from relief.studies.study import StudyRequest
from relief.studies.sweeps.selection import rank_settings
from relief.studies.sweeps.sweep import labels_to_make, run_sweep
from relief.studies.sweeps.sweep_csv import write_sweep_csv
from relief.studies.sweeps.sweep_findings import findings
from relief.studies.sweeps.sweep_plan import SweepRequest


def labels(runs: ScoreRequest) -> int:
    """Figures of one or several runs."""
    metrics, scores = score_runs(runs)
    write_scores(runs.folder, scores[0], metrics)
    write_class_figure(runs.folder / "per_class.png", *next(iter(metrics.items())), runs.space)
    Console().print(tables.score_table(metrics))
    cli.say(f"written: {runs.folder}/metrics.json, assignment.json, per_class.png")
    return cli.ended([failure["reason"] for one in scores for failure in one.failures])


def sweep(request: SweepRequest) -> int:
    """Many splitter settings in one pass, after labels where there are none."""
    make_labels([request.label_command(one) for one in labels_to_make(request)], cli.say)
    result = run_sweep(request)
    write_sweep_csv(request.folder / "sweep.csv", result.rows)
    headline = result.rows[0]["protocol"], result.rows[0]["assignment"]
    sections = findings(result.rows, *headline)
    ranked = [rank for one in sections for rank in rank_settings(one.name, one.rows)]
    notes = tables.first_few(result.failures)
    page = SweepPage(request.name, *headline, result.images, sections, notes, ranked)
    write_sweep_report(request.folder / "report.html", page)
    Console().print(tables.sweep_table(sections))
    Console().print(tables.selection_table(ranked))
    cli.say(f"written in {result.seconds:.0f} s: {request.folder}/sweep.csv, report.html")
    return cli.ended(result.failures)


def export(request: ExportRequest) -> int:
    """A label store in another format."""
    export_labels(request)
    cli.say(f"written: {request.out}")
    return cli.EXIT_DONE


def diagnose(request: DiagnoseRequest) -> int:
    """Absorbed classes and dead clusters."""
    write_diagnosis(request.folder, found := diagnose_labels(request))
    if found.missed:
        Console().print(tables.absorption_table(found.missed))
    Console().print(tables.diagnosis_table(found.iou, found.ground_truth_px, found.absorption))
    cli.say_all(found.sentences)
    cli.say(f"written: {request.folder}/diagnosis.json")
    return cli.ended([failure["reason"] for failure in found.failures])


def diagnose_objects(request: objects.ObjectDiagnosisRequest) -> int:
    """Losses of things, step by step."""
    objects.write_object_diagnosis(request.folder, found := objects.diagnose_objects(request))
    Console().print(tables.objects_table(found.steps))
    return cli.ended([failure["reason"] for failure in found.failures])


def study(request: StudyRequest) -> int:
    """One table, ours beside the published."""
    prepared = request.prepared
    make_labels(prepared.label_commands(), cli.say)
    result = prepared.run()
    names = write_study(request.folder, result)
    for table in result.tables:
        Console().print(study_table(table))
    cli.say_all(result.notes)
    cli.say(f"written in {result.seconds:.0f} s: {request.folder}/{', '.join(names)}")
    return cli.ended(result.failures)


COMMANDS: dict[str, tuple[type, Callable[[Any], int]]] = {
    "labels": (ScoreRequest, labels),
    "sweep": (SweepRequest, sweep),
    "study": (StudyRequest, study),
    "export": (ExportRequest, export),
    "diagnose": (DiagnoseRequest, diagnose),
    OBJECTS: (objects.ObjectDiagnosisRequest, diagnose_objects),
}


def main(args: Sequence[str] | None = None) -> int:
    """Runs one of the commands."""
    cli.quiet_libraries()
    given = list(sys.argv[1:] if args is None else args)
    requests = {name: request for name, (request, _) in COMMANDS.items()}
    name, request = parse_request(requests, given, cli.CONFIGS / "studies", check_weights)
    with writable(request.folder):
        return COMMANDS[name][1](request)


if __name__ == "__main__":
    sys.exit(cli.exit_code(main))
