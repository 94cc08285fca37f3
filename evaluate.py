"""Measures labels: `evaluate.py labels|instances|sweep|study|export|names|review|...`."""

from __future__ import annotations

import cli  # isort: skip  # before torch: it sets how OpenMP waits

import sys
from collections.abc import Callable, Sequence
from typing import Any

from relief.formats.files.atomic import writable
from relief.models.weights.configured import check_weights
from relief.processes.scripts import make_labels
from relief.reports import health, names_page, review_page, study_report, sweep_report
from relief.reports.figures.class_figure import write_class_figure
from relief.reports.instance_report import write_instance_report
from relief.reports.tables import evaluation as tables
from relief.studies.export import ExportRequest
from relief.studies.requests import OBJECTS, parse_request
from relief.studies.scoring import object_diagnosis as objects
from relief.studies.scoring.compare import CompareRequest
from relief.studies.scoring.diagnose import DiagnoseRequest, diagnose_labels, write_diagnosis
from relief.studies.scoring.instance_request import InstanceRequest, write_instance_scores
from relief.studies.scoring.score import write_scores
from relief.studies.scoring.score_runs import ScoreRequest, score_runs
from relief.studies.study import StudyRequest
from relief.studies.sweeps import sweep_csv, sweep_plan
from relief.studies.sweeps.sweep import labels_to_make, run_sweep


def labels(runs: ScoreRequest) -> int:
    """Figures of one or several runs."""
    metrics, scores = score_runs(runs)
    write_scores(runs.folder, scores[0], metrics)
    write_class_figure(runs.folder / "per_class.png", *next(iter(metrics.items())), runs.space)
    cli.show(tables.score_table(metrics))
    cli.say(f"written: {runs.folder}/metrics.json, assignment.json, per_class.png")
    return cli.ended([failure["reason"] for one in scores for failure in one.failures])


def sweep(request: sweep_plan.SweepRequest) -> int:
    """Many splitter settings in one pass, after labels where there are none."""
    make_labels([request.label_command(one) for one in labels_to_make(request)], cli.say)
    result = run_sweep(request)
    sweep_csv.write_sweep_csv(request.folder / "sweep.csv", result.rows)
    sweep_report.write_sweep_report(request.folder / "report.html", request.name, result)
    cli.show(tables.sweep_table(result.sections), tables.selection_table(result.ranked))
    cli.say(f"written in {result.seconds:.0f} s: {request.folder}/sweep.csv, report.html")
    return cli.ended(result.failures)


def instances(request: InstanceRequest) -> int:
    """Average precision of instances, and pictures of what was found, missed and doubled."""
    scores, page = write_instance_scores(request), request.folder / "report.html"
    write_instance_report(page, request.folder.name, scores, request.photograph)
    cli.show(tables.instances_table(scores.metrics))
    cli.say(f"written: {request.folder}/metrics.json, report.html")
    return cli.ended([failure["reason"] for failure in scores.failures])


def written(request: Any) -> int:
    """A label store in another format, or a page on which a person decides about it."""
    cli.say(f"written: {request.write()}")
    return cli.EXIT_DONE


def diagnose(request: DiagnoseRequest) -> int:
    """Absorbed classes and dead clusters."""
    write_diagnosis(request.folder, found := diagnose_labels(request))
    cli.show(*tables.diagnosis_tables(found))
    cli.say_all(found.sentences)
    cli.say(f"written: {request.folder}/diagnosis.json")
    return cli.ended([failure["reason"] for failure in found.failures])


def diagnose_objects(request: objects.ObjectDiagnosisRequest) -> int:
    """Losses of things, step by step."""
    objects.write_object_diagnosis(request.folder, found := objects.diagnose_objects(request))
    cli.show(tables.objects_table(found.steps))
    return cli.ended([one["reason"] for one in found.failures])


def study(request: StudyRequest | CompareRequest) -> int:
    """One table, ours beside the published; or two runs side by side."""
    request.prepared.prepare(cli.say)
    result = request.prepared.run()
    names = study_report.write_study(request.folder, result)
    cli.show(*map(study_report.study_table, result.tables))
    cli.say_all(result.notes)
    cli.say(f"written in {result.seconds:.0f} s: {request.folder}/{', '.join(names)}")
    return cli.ended(result.failures)


COMMANDS: dict[str, tuple[type, Callable[[Any], int]]] = {
    "labels": (ScoreRequest, labels),
    "sweep": (sweep_plan.SweepRequest, sweep),
    "study": (StudyRequest, study),
    "instances": (InstanceRequest, instances),
    "export": (ExportRequest, written),
    "health": (health.HealthRequest, written),
    "names": (names_page.NamesRequest, written),
    "review": (review_page.ReviewRequest, written),
    "diagnose": (DiagnoseRequest, diagnose),
    OBJECTS: (objects.ObjectDiagnosisRequest, diagnose_objects),
    "compare": (CompareRequest, study),
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
