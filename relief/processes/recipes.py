"""The recipes that come with Relief, by name or by their place in the repository."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from relief.processes.scripts import FOLDER

RECIPES = FOLDER / "configs"
KINDS = {
    "label": "label",
    "train": "train",
    "rounds": "rounds",
    "sweep": "sweep",
    "study": "studies",
}


def shipped_file(text: str) -> str:
    """Returns the file that a text means: one of that name, else what comes with Relief, else it.

    Args:
        text: A path, also one like `relief/samples/weights/NAME` outside of the repository.
    """
    places = (Path(text), FOLDER / text, Path(__file__).parents[2] / text)
    return str(next((place for place in places if place.is_file()), text))


def recipe_file(text: str, kind: str = "") -> str:
    """Returns the file that a text means: one of that name, else a recipe of ours, else the text.

    Args:
        text: A path, also one like `configs/label/sample.yaml` outside of the repository, or a
            recipe's name, such as `image_folder`.
        kind: The folder of `configs/` in which names are looked up.
    """
    named, shipped = RECIPES / kind / f"{text}.yaml", shipped_file(text)
    return str(named) if named.is_file() and not Path(shipped).is_file() else shipped


def with_recipe_files(args: Sequence[str], kind: str) -> list[str]:
    """Returns the arguments with the file of each `--config` in place of a recipe's name."""
    given = list(args)
    for i, argument in enumerate(given):
        if argument.startswith("--config="):
            given[i] = f"--config={recipe_file(argument.partition('=')[2], kind)}"
        elif argument in {"-c", "--config"} and i + 1 < len(given):
            given[i + 1] = recipe_file(given[i + 1], kind)
    return given


def listed_recipes() -> Iterator[tuple[str, str, Path]]:
    """Returns command, name and file of every recipe, sorted within its command."""
    for command, folder in KINDS.items():
        for file in sorted((RECIPES / folder).glob("*.yaml")):
            yield command, file.stem, file


def first_sentence(file: Path) -> str:
    """Returns the first sentence of the comment that opens a recipe, `""` where there is none."""
    lines = file.read_text(encoding="utf-8").splitlines()
    ending = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    text = " ".join(line.lstrip("# ").rstrip() for line in lines[:ending])
    return text.partition(". ")[0].removesuffix(".")
