"""Facts of a manifest as pairs for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from relief.schema.manifest import Manifest

_TITLES = {"model": "labeller", "kmeans": "k-means", "geometry": "windows", "data": "images"}
_DIGEST_CHARACTERS = 12


def run_facts(manifest: Manifest) -> list[tuple[str, str]]:
    """Ids, things, parts with their plain arguments and weights of a run."""
    facts = [("Ids", _ids(manifest))]
    facts += [(title.capitalize(), words) for title, words in _parts(manifest.parts)]
    if manifest.weights:
        shortened = {role: f"{d[:_DIGEST_CHARACTERS]}…" for role, d in manifest.weights.items()}
        facts.append(("Weights", f"sha256 of {_arguments(shortened)}"))
    return facts


def _ids(manifest: Manifest) -> str:
    if manifest.classes is not None:
        words = f"{manifest.num_categories} classes of {manifest.classes}"
        words += f", named by ground truth, from {manifest.k} clusters"
    else:
        words = "1 cluster" if manifest.k == 1 else f"{manifest.k} clusters"
    if manifest.thing_ids is None:
        return words
    groups = len({group for group in manifest.groups or () if group >= 0})
    plural = "" if groups == 1 else "s"
    things = len(manifest.thing_ids)
    verb = "is a thing" if things == 1 else "are things"
    return f"{words}; {things} {verb}, split in {groups} group{plural}"


def _parts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if not isinstance(value, Mapping):
        return
    if "class_path" not in value:
        for inner_name, inner in value.items():
            yield from _parts(inner, inner_name)
        return
    arguments = value.get("init_args") or {}
    words = str(value["class_path"]).rpartition(".")[2]
    plain = _arguments({n: v for n, v in arguments.items() if not isinstance(v, Mapping)})
    if name != "codebook":  # filled by the run, it says nothing before
        yield _TITLES.get(name, name.replace("_", " ")), f"{words}: {plain}" if plain else words
    yield from _parts(dict(arguments))


def _arguments(values: Mapping[str, Any]) -> str:
    shown = ((name.replace("_", " "), value) for name, value in values.items() if value != [])
    return ", ".join(f"{name} {_value(value)}" for name, value in shown)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return " ".join(repr(one) if one == "" else str(one) for one in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
