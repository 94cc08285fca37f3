"""Which weight files a configuration names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from relief.models.weight_sources import SOURCES, WEIGHT_SUFFIXES, WeightSource, find_source
from relief.schema.errors import UsageError


def needed_weights(
    config: Path, sources: tuple[WeightSource, ...] = SOURCES
) -> dict[str, WeightSource | None]:
    """The weights a configuration names, with their source where one is known.

    Configurations that it names are read too.

    Returns:
        Source by path, in the order of the file.

    Raises:
        UsageError: The file is missing or no YAML.
    """
    found: dict[str, WeightSource | None] = {}
    for text in _strings(config):
        source = find_source(text, sources)
        if source is not None or text.endswith(WEIGHT_SUFFIXES):
            found[text] = source
    return found


def missing_weights(values: object, sources: tuple[WeightSource, ...] = SOURCES) -> list[str]:
    """The published weights that a configuration names and that are not there.

    Files of which no source is known are left to the part that reads them.

    Args:
        values: Nested plain values.
        sources: What is published.
    """
    named = ((text, find_source(text, sources)) for text in _leaves(values))
    return sorted(
        {text for text, source in named if source is not None and not is_present(text, source)}
    )


def is_present(path: str | Path, source: WeightSource | None) -> bool:
    """Whether a file, or all files of a folder, are there."""
    files = source.files if source and source.files else ("",)
    return all((Path(path) / name).is_file() for name in files)


def _strings(config: Path) -> Iterator[str]:
    try:
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        msg = f"cannot read configuration: {config}. Check --config."
        raise UsageError(msg) from error
    for text in _leaves(content):
        if text.endswith((".yaml", ".yml")) and Path(text).is_file():
            yield from _strings(Path(text))
        else:
            yield text


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    elif isinstance(value, str):
        yield value
