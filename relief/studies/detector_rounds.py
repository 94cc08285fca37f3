"""Rounds of self-training of a class-agnostic detector: `python train.py rounds`.

In each round the detector of the round before labels the training images (`RoundLabeler`), then
goes on learning from these labels. Every step is a run of label.py or train.py of its own: what is
done is passed over, what was stopped goes on.

Wang et al., "Cut and Learn for Unsupervised Object Detection and Instance Segmentation", 2023; the
thresholds of later rounds are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jsonargparse import ArgumentParser

from relief.formats.label_store import LabelStore
from relief.ops.panoptic import count_instances
from relief.processes.progress import with_progress
from relief.processes.recipes import with_recipe_files
from relief.processes.scripts import EVALUATE, LABEL, TRAIN, run_scripts
from relief.schema.errors import UsageError


@dataclass(frozen=True)
class RoundsRequest:
    """Lets a detector without classes learn from what it finds itself, round after round.

    Args:
        labels: The label store of the training images that the detector learned from.
        checkpoint: The detector.
        label_config: Recipe of label.py with a `RoundLabeler` over the training images.
        train_config: Recipe of train.py that begins with a checkpoint.
        rounds: How many.
        keep_scores: Least score of a detection that becomes a label, by round; the last one is
            that of all later rounds.
        measure_labels: Recipe of label.py that labels the images that are measured on; `null`:
            nothing is measured.
        measure: Arguments of `evaluate.py instances` for these labels, beside --labels and --out.
        out: A folder round_N for each round: labels/, detector/, measured/, instances/.
    """

    labels: str
    checkpoint: str
    label_config: str
    train_config: str
    rounds: int = 2
    keep_scores: list[float] = field(default_factory=lambda: [0.7, 0.65])
    measure_labels: str | None = None
    measure: list[str] = field(default_factory=list)
    out: str = "outputs/train/rounds"


@dataclass(frozen=True)
class Round:
    """Commands of one round, in their order: script, arguments, and what they make."""

    number: int
    labels: Path
    commands: list[tuple[str, list[str], str]]


def rounds_of(request: RoundsRequest) -> list[Round]:
    """Lists the rounds with their commands; each begins where the one before ends.

    Raises:
        UsageError: There are no rounds, or no thresholds.
    """
    if request.rounds < 1 or not request.keep_scores:
        msg = f"nothing to do: rounds={request.rounds}, keep_scores={request.keep_scores}."
        raise UsageError(msg)
    found, parent, checkpoint = list[Round](), request.labels, request.checkpoint
    for number in range(1, request.rounds + 1):
        folder = Path(request.out) / f"round_{number}"
        labels, detector = str(folder / "labels"), folder / "detector"
        score = request.keep_scores[min(number, len(request.keep_scores)) - 1]
        begin = ["--model.init_args.checkpoint", checkpoint]
        label = ["--config", request.label_config, *begin, "--model.init_args.parent", parent]
        label += ["--model.init_args.keep_score", str(score), "--out", labels]
        train = ["fit", "--config", request.train_config, *begin]
        train += ["--data.init_args.labels.init_args.out", labels, "--out", str(detector)]
        checkpoint, parent = str(detector / "checkpoints" / "last.ckpt"), labels
        commands = [
            (LABEL, [*label, "--if_missing", "true"], "labels"),
            (TRAIN, train, "detector"),
        ]
        if request.measure_labels is not None:
            commands += _measuring(request, folder, checkpoint)
        found.append(Round(number, Path(labels), commands))
    return found


def _measuring(
    request: RoundsRequest, folder: Path, checkpoint: str
) -> list[tuple[str, list[str], str]]:
    measured = str(folder / "measured")
    label = ["--config", str(request.measure_labels), "--model.init_args.checkpoint", checkpoint]
    label += ["--out", measured, "--if_missing", "true"]
    out = str(folder / "instances")
    evaluate = ["instances", "--labels", measured, *request.measure, "--out", out]
    return [(LABEL, label, "labels"), (EVALUATE, evaluate, "figures")]


def parse_rounds(arguments: Sequence[str]) -> RoundsRequest:
    """Reads the options of `RoundsRequest`, or `--config FILE`; raises `ArgumentError`."""
    parser = ArgumentParser(prog="train.py rounds", exit_on_error=False)
    parser.add_argument("--config", action="config", help="Options from a YAML file.")
    parser.add_class_arguments(RoundsRequest)
    given = with_recipe_files(arguments, "rounds")
    values = dict(parser.instantiate(parser.parse_args(given)).items())
    values.pop("config", None)
    return RoundsRequest(**values)


def run_rounds(arguments: Sequence[str], say: Callable[[str], None]) -> int:
    """Runs all rounds; returns the exit code.

    Args:
        arguments: See `parse_rounds`.
        say: Tells people what is going on, in a line.

    Raises:
        UsageError: An option is wrong, or a run did not come to its end.
    """
    for one in rounds_of(parse_rounds(arguments)):
        for script, command, what in one.commands:
            run_scripts(script, [command], say, f"round {one.number}, {what}")
        objects = objects_per_image(one.labels)
        say(f"round {one.number}: {objects:.1f} objects an image to learn from")
    return 0


def objects_per_image(labels: Path) -> float:
    """Counts the objects of a label store, per image."""
    store = LabelStore(labels)
    counts = [
        count_instances(store.panoptic(key))
        for key in with_progress(store.keys, "objects", len(store.keys))
    ]
    return sum(counts) / max(1, len(counts))
