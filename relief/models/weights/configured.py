"""Which weight files a configuration names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from relief.models.weights.sources import (
    SOURCES,
    WEIGHT_SUFFIXES,
    WeightSource,
    find_source,
    get_command,
)
from relief.schema.errors import UsageError, WeightsError
from relief.schema.plain_text import yaml_of

# A folder of weights has no suffix to tell it from data or an output folder of the same name:
# only this argument means one, as in `TransformersDepth`.
FOLDER_ARGUMENT = "model"
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def needed_weights(
    config: Path, sources: tuple[WeightSource, ...] = SOURCES
) -> dict[str, WeightSource | None]:
    """The weights a configuration names, with their source where one is known.

    Configurations that it names are read too. An argument `model` may name a folder, or a model of
    Hugging Face.

    Returns:
        Source by path, in the order of the file.

    Raises:
        UsageError: The file is missing or no YAML.
    """
    found: dict[str, WeightSource | None] = {}
    for argument, text in _read(config, set()):
        source = _source(argument, text, sources)
        may_be_folder = argument == FOLDER_ARGUMENT and "/" in text
        if source is not None or may_be_folder or text.endswith(WEIGHT_SUFFIXES):
            found[text] = source
    return found


def missing_weights(values: object, sources: tuple[WeightSource, ...] = SOURCES) -> list[str]:
    """The published weights that a configuration names and that are not there.

    Files of which no source is known are left to the part that reads them.

    Args:
        values: Nested plain values.
        sources: What is published.
    """
    named = ((text, _source(argument, text, sources)) for argument, text in _leaves(values))
    return sorted(
        {text for text, source in named if source is not None and not is_on_disk(text, source)}
    )


def check_weights(values: object, recipes: Iterable[object]) -> None:
    """Stops before anything else where published weights are missing.

    Args:
        values: The resolved configuration, nested plain values.
        recipes: The files it comes from.

    Raises:
        WeightsError: With the command that gets them.
    """
    missing = missing_weights(values)
    if missing:
        command = command_that_gets(missing, recipes)
        msg = f"weights are missing: {', '.join(missing)}. Run `{command}`."
        raise WeightsError(msg)


def command_that_gets(missing: Sequence[str], recipes: Iterable[object]) -> str:
    """Tells how to get missing weights.

    Args:
        missing: Paths, as `missing_weights` says.
        recipes: Configuration files; the first that names all of them stands for the paths, which
            other options may have named.
    """
    for recipe in map(str, recipes):
        if Path(recipe).is_file() and set(missing) <= set(needed_weights(Path(recipe))):
            return f"python -m relief.models.weights get --config {recipe}"
    return get_command(missing)


def is_on_disk(path: str, source: WeightSource | None) -> bool:
    """Whether a file, or all files of a folder, are there; nothing is said of what is in them.

    Args:
        path: A file, a folder, or a model of Hugging Face, which may be in its library's cache.
        source: Where it comes from, if that is known.
    """
    if source is not None and source.files:
        return all((Path(path) / name).is_file() for name in source.files)
    return Path(path).is_file() or (source is None and (Path(path).is_dir() or _is_cached(path)))


def is_hub_id(path: str) -> bool:
    """Whether a text could be a model of Hugging Face: OWNER/NAME."""
    return _HUB_ID.fullmatch(path) is not None and not path.endswith(WEIGHT_SUFFIXES)


def _is_cached(path: str) -> bool:
    if not is_hub_id(path):
        return False
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(path, "config.json"), str)


def _source(argument: str, text: str, sources: tuple[WeightSource, ...]) -> WeightSource | None:
    source = find_source(text, sources)
    if source is not None and source.files and argument != FOLDER_ARGUMENT:
        return None
    return source


def _read(config: Path, seen: set[Path]) -> Iterator[tuple[str, str]]:
    """Argument and text, from a file and those that it names, each once: they may go in circles."""
    seen.add(config.resolve())
    try:
        content = yaml_of(config.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"cannot read configuration: {config}. Check --config."
        raise UsageError(msg) from error
    for argument, text in _leaves(content):
        inner = _piece(text, config)
        if inner is None:
            yield argument, text
        elif inner.resolve() not in seen:
            yield from _read(inner, seen)


def _piece(text: str, config: Path) -> Path | None:
    """The configuration that a text names, relative to the file it stands in or to the folder."""
    if not text.endswith((".yaml", ".yml")):
        return None
    places = (config.parent / text, Path(text))
    return next((place for place in places if place.is_file()), None)


def _leaves(value: object, argument: str = "") -> Iterator[tuple[str, str]]:
    """Every text with the argument it is given to, in command lines (`[--a.model, x]`) too."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, str(name))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            before = value[i - 1] if i else None
            is_option = isinstance(before, str) and before.startswith("--")
            option = str(before).removeprefix("--").rpartition(".")[2]
            yield from _leaves(inner, option if is_option else argument)
    elif isinstance(value, str):
        yield argument, value
