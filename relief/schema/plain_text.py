"""Values from JSON and YAML that anybody may have written: whatever is wrong is a `ValueError`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

_TOO_DEEP = "nested too deeply"


def json_of(text: str | bytes) -> Any:
    """Returns what a JSON text holds, in any Unicode encoding; raises `ValueError`."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error


def yaml_of(text: str | bytes) -> Any:
    """Returns the plain values that a YAML text holds; raises `ValueError`."""
    try:
        return yaml.safe_load(text)
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error


def sentences_of(record: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Returns the texts that a record lists under a name, if any; raises `ValueError`."""
    sentences = record.get(name, ())
    if not isinstance(sentences, list | tuple) or not all(isinstance(s, str) for s in sentences):
        msg = f"{name} must be a list of sentences"
        raise ValueError(msg)
    return tuple(sentences)
