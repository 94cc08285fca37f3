"""The command `relief`: Relief where it is installed (`python -m relief` is the same).

relief label|train|evaluate ...     what label.py, train.py and evaluate.py do; `--help` after it
relief predict --checkpoint CKPT IMAGES|VIDEO|PATTERN ... --out DIR
                                    a trained detector on images and videos
relief export-model --checkpoint CKPT --out DIR
                                    a trained network as ONNX and as a PyTorch program
relief recipes                      the recipes that `--config NAME` means, a line each
relief doctor                       versions, devices, memory, weights that recipes miss
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from relief.processes.recipes import first_sentence, listed_recipes
from relief.processes.scripts import FOLDER
from relief.processes.short_help import short_help

SCRIPTS = {
    "label": "label",
    "train": "train",
    "evaluate": "evaluate",
    "predict": "relief.predictions.command",
    "export-model": "relief.predictions.export_model",
}


def main(args: Sequence[str] | None = None) -> int:
    """Runs a command; returns its exit code: 2 where there is no such command."""
    command, *rest = list(sys.argv[1:] if args is None else args) or ["--help"]
    if command in SCRIPTS:
        return run_script(command, rest)
    if command in {"-h", "--help"}:
        print(__doc__.strip())  # noqa: T201
        return 0
    if command == "recipes" and not rest:
        for kind, name, file in listed_recipes():
            print(f"{kind:9}{name:32}{first_sentence(file)}")  # noqa: T201
        return 0
    if command == "doctor" and not rest:
        doctor = importlib.import_module("relief.reports.doctor")  # it loads torch
        for line in doctor.doctor_lines():
            print(line)  # noqa: T201
        return 0
    line = " ".join([command, *rest])
    known = ", ".join([*SCRIPTS, "recipes", "doctor"])
    print(f"error: no such command: relief {line}. Use one of {known}.", file=sys.stderr)  # noqa: T201
    return 2


def run_script(name: str, args: Sequence[str]) -> int:
    """Runs one of the scripts in this process; the rooms beside it are found from now on."""
    if (page := short_help(name, args)) is not None:
        print(page, end="")  # noqa: T201
        return 0
    if str(FOLDER) not in sys.path:
        sys.path.insert(0, str(FOLDER))
    cli = importlib.import_module("cli")  # before torch: it sets how OpenMP waits
    return int(cli.exit_code(importlib.import_module(SCRIPTS[name]).main, args))


if __name__ == "__main__":
    sys.exit(main())
