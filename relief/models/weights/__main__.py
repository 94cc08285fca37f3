"""The weights of a configuration: what it needs, where that comes from, and getting it.

python -m relief.models.weights list [PATH ...] [--config FILE]
python -m relief.models.weights get [PATH ...] [--config FILE]

PATH is a file or folder of known weights, such as weights/dinov2_vits14.safetensors.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from relief.models.weights.configured import is_hub_id, needed_weights
from relief.models.weights.sources import SOURCES, WeightSource, find_on_hub, find_source
from relief.models.weights.store import get, pin, state_of
from relief.processes.recipes import recipe_file
from relief.schema.errors import ReliefError, UsageError, WeightsError


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code: 0, or 2 where something is missing or wrong."""
    options = _parser().parse_args(arguments)
    try:
        wanted = _wanted(options.paths, options.config)
        return _list(wanted, options.config) if options.command == "list" else _get(wanted)
    except ReliefError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2


def _wanted(paths: Sequence[str], config: str | None) -> dict[str, WeightSource | None]:
    """Resolves names to paths with their source; a known name stands for its usual path."""
    usual = {source.name: source.path for source in SOURCES}
    named = [usual.get(path, path) for path in paths]
    wanted = {path: find_source(path, SOURCES) for path in named}
    recipe = Path(recipe_file(config, "label")) if config else None
    return {**wanted, **(needed_weights(recipe, SOURCES) if recipe else {})}


def _list(wanted: dict[str, WeightSource | None], config: str | None) -> int:
    console = Console(soft_wrap=True, highlight=False)
    known = {source.path: source for source in SOURCES}
    for name, source in (wanted or ({} if config else known)).items():
        state = state_of(Path(name), source)
        console.print(f"{name}   {state}" if wanted else name, style="bold")
        if source is None:
            console.print(f"  source       not known: {_how_to_get_unknown(name)}")
            continue
        console.print(f"  source       {source.addresses[0] if source.addresses else 'none'}")
        if source.by_hand:
            console.print(f"  by hand      {source.by_hand}")
        console.print(f"  license      {source.license}")
        console.print(f"  supervision  {source.supervision}")
    if config and not wanted:
        console.print(f"{config} needs no weight files.")
    return 0


def _get(wanted: dict[str, WeightSource | None]) -> int:
    if not wanted:
        raise UsageError("no weights named: get. Give paths, or a --config that needs some.")
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    failed = 0
    for name, source in wanted.items():
        try:
            state = state_of(Path(name), source)
            if state == "present":
                console.print(f"{name} is there")
                if source is not None:
                    pin(Path(name), source, console)
                continue
            if source is None:
                what = "is damaged" if state == "damaged" else "is not there"
                msg = f"no source is known: {name} {what}. {_how_to_get_unknown(name)}"
                raise WeightsError(msg)
            get(Path(name), source, console)
        except ReliefError as error:
            failed += 1
            console.print(f"error: {error}", markup=False)
    return 2 if failed else 0


def _how_to_get_unknown(name: str) -> str:
    """Tells how to get weights that this command does not get."""
    source = find_on_hub(name, SOURCES)
    if source is not None:
        return f"Name {source.path} in its place: the same model, which `get` downloads."
    if is_hub_id(name):
        return f"Run `hf download {name}`, or name a folder that holds its files."
    return "Made by a run of yours, or got by hand: put it there."


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m relief.models.weights",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    shown = commands.add_parser("list", help="what is needed, from where, under which license")
    wanted = commands.add_parser("get", help="download and convert what is missing or damaged")
    for command, without in ((shown, "; without both: everything that is known"), (wanted, "")):
        command.add_argument("paths", nargs="*", metavar="PATH", help="known weights by path")
        command.add_argument("--config", help=f"all weights that a configuration names{without}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
