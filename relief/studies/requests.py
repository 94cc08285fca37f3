"""Requests to `evaluate.py`: one object for each command."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from relief.processes.recipes import KINDS, with_recipe_files
from relief.schema.errors import UsageError
from relief.studies.export import CORRECTIONS, EXPORTS

STUDY = "study"
EXPORT = "export"
OBJECTS = "diagnose-objects"  # typed as two words
SAMPLE = "sample"  # the folder of what some studies do without a root
_ROOTS = ("--root", "--study.init_args.root")


def parse_request(
    requests: Mapping[str, type],
    args: Sequence[str],
    studies: Path,
    check: Callable[[Mapping[str, Any], Sequence[object]], None] | None = None,
) -> tuple[str, Any]:
    """The command and its request.

    Args:
        requests: A class for each command; its arguments are the options.
        args: Of the command line. `diagnose objects` is a command of its own; `study NAME` means
            the configuration of that name, without a root that of the sample, where there is one.
        studies: The folder of these.
        check: Looks at the options as plain values, and at the files they come from, before any
            part is made.

    Raises:
        UsageError: There is no such study, or a part refuses its options.
    """
    given = _completed(args, studies)
    parser = ArgumentParser(prog="evaluate.py", exit_on_error=False)
    commands = parser.add_subcommands(dest="command")
    command_parsers: dict[str, ArgumentParser] = {}
    asked = {name: requests[name] for name in given[:1] if name in requests}
    for name, request in (asked or requests).items():  # all of them where none is known
        command = ArgumentParser(exit_on_error=False)
        command.add_argument("--config", action="config", help="Options from a YAML file.")
        command.add_class_arguments(request, sub_configs=True)
        command_parsers[name] = command
        commands.add_subcommand(name, command, help=str(request.__doc__).splitlines()[0])
    options = parser.parse_args(given)
    name = options.command
    command, own = command_parsers[name], options[name]
    if check is not None:
        check(json.loads(command.dump(own, format="json")), own.get("config") or [])
    values = dict(command.instantiate(own).items())
    values.pop("config", None)
    return name, requests[name](**values)


def _with_class_paths(args: Sequence[str], option: str, paths: Mapping[str, str]) -> list[str]:
    """The arguments, an option's short name by its class path; raises `UsageError` as it does."""
    given = list(args)
    for i, argument in enumerate(given):
        if argument.startswith(f"{option}="):
            given[i : i + 1] = [option, argument.partition("=")[2]]
    for i in range(1, len(given)):
        if given[i - 1] == option and "." not in given[i]:
            if given[i] not in paths:
                msg = f"unknown format: {given[i]}. Use one of {', '.join(paths)}."
                raise UsageError(msg)
            given[i] = paths[given[i]]
    return given


def study_names(studies: Path) -> list[str]:
    """The studies that have a configuration."""
    return sorted(path.stem for path in studies.glob("*.yaml"))


def _completed(args: Sequence[str], studies: Path) -> list[str]:
    given = with_recipe_files(args, KINDS.get("".join(args[:1]), ""))
    if given[:2] == OBJECTS.split("-"):
        given[:2] = [OBJECTS]
    if given[:1] == [EXPORT]:
        given = _with_class_paths(given, "--format", EXPORTS)
        given = _with_class_paths(given, "--corrections", CORRECTIONS)
    if given[:1] in (["labels"], ["compare"], [STUDY]):  # they take folders one by one
        given = ["--labels+" if a == "--labels" else a for a in given]
    if given[:1] != [STUDY] or len(given) < 2 or given[1].startswith("-"):
        return given
    config = studies / f"{given[1]}.yaml"
    if not config.is_file():
        known = ", ".join(study_names(studies))
        msg = f"unknown study: {given[1]}. Use one of {known}."
        raise UsageError(msg)
    has_root = any(argument.partition("=")[0] in _ROOTS for argument in given)
    if not has_root and (on_sample := studies / SAMPLE / config.name).is_file():
        config = on_sample
    return [STUDY, "--config", str(config), *given[2:]]
