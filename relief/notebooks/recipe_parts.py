"""The parts of a labelling recipe, made without a trainer."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from jsonargparse import ArgumentError, ArgumentParser
from torch import Tensor

from relief.models.weights.configured import check_weights
from relief.processes.lean_imports import late_compiler
from relief.processes.recipes import recipe_file
from relief.processes.scripts import FOLDER
from relief.schema.determinants import determinants
from relief.schema.errors import ReliefError, UsageError
from relief.schema.manifest import Manifest, ManifestInputs
from relief.schema.observation import LabelRecord


class ImageLabeller(Protocol):
    """The part `model` of a recipe, as `lightning_modules.labeler.Labeler` is."""

    is_ready: bool

    def expect(self, *, has_depth: bool) -> None:
        """Finds what no image could be labelled without; raises `UsageError`."""

    def load_weights(self) -> None:
        """Loads the weights of all networks; raises `WeightsError`."""

    def read_codebook(self, path: Path) -> None:
        """Loads a codebook."""

    def save_codebook(self, path: Path) -> None:
        """Writes the codebook, where there is one."""

    def label_by_key(
        self, key: str, image: Tensor, depth: Tensor | None, wanted: Collection[str] = ()
    ) -> LabelRecord:
        """Labels (3, H, W) float32 in [0, 1]."""

    def manifest(self, inputs: ManifestInputs) -> Manifest:
        """Makes the manifest of the labels."""

    def eval(self) -> Any:
        """Sets evaluation mode."""

    def to(self, device: torch.device) -> Any:
        """Moves the networks."""


class CodebookPass(Protocol):
    """A part that fills the labeller's codebook image by image: `fitter`, then `thingness`."""

    needs_targets: bool

    def predict_step(self, batch: Any, batch_idx: int) -> None:
        """Looks at a batch."""

    def finish_alone(self) -> None:
        """Fills the codebook from what was seen."""

    def to(self, device: torch.device) -> Any:
        """Moves what the part has on a device."""


@dataclass(frozen=True)
class RecipeParts:
    """Parts of a recipe of label.py, without where images come from and go.

    Attributes:
        labeller: Its `model`.
        fitter: First pass of the codebook, or `None`.
        thingness: Second pass, or `None`.
        determinants: Class paths and arguments for the manifest, by role.
    """

    labeller: ImageLabeller
    fitter: Any
    thingness: Any
    determinants: Mapping[str, Any]


def recipe_parts(recipe: str | Path, options: Mapping[str, object]) -> RecipeParts:
    """Makes the parts of a recipe.

    Args:
        recipe: Its name, or a file.
        options: Values by option of label.py, such as `model.init_args.split_short_side_px`.

    Raises:
        UsageError: There is no such recipe or option, or a part refuses its arguments.
        WeightsError: Published weights are missing.
    """
    file = recipe_file(str(recipe), "label")
    if not Path(file).is_file():
        msg = f"no such recipe: {recipe}. Give a file, or a name that `relief recipes` lists."
        raise UsageError(msg)
    if str(FOLDER) not in sys.path:
        sys.path.append(str(FOLDER))  # class paths of recipes; what is there already goes first
    arguments = [f"--{name}={_text(value)}" for name, value in options.items()]
    with late_compiler():
        parser = _parser()
        try:
            config = parser.parse_args(["--config", file, *arguments])
            plain = json.loads(parser.dump(config, format="json", skip_link_targets=True))
            check_weights(plain, [file])
            made = parser.instantiate_classes(config)
        except ArgumentError as error:
            raise UsageError(f"{file}: {' '.join(str(error).split())}") from error
        except ValueError as error:
            raise _refusal(error) from error
    roles = {role: plain[role] for role in ("model", "fitter", "thingness") if plain.get(role)}
    return RecipeParts(made.model, made.get("fitter"), made.get("thingness"), determinants(roles))


def _parser() -> ArgumentParser:
    """Takes every recipe of label.py; what only its runs need is left as it is."""
    passes: Any = importlib.import_module("lightning_modules.codebook_passes")
    labeler: Any = importlib.import_module("lightning_modules.labeler").Labeler
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--config", action="config")
    parser.add_subclass_arguments(labeler, "model", required=True)
    passes.add_pass_arguments(parser)
    for name in ("data", "trainer", "writer", "evaluator", "report", "seed_everything"):
        parser.add_argument(f"--{name}", type=Any, default=None)
    return parser


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _refusal(error: BaseException | None) -> BaseException:
    """Returns what a part said, from within what the parser made of it."""
    first = error
    while error is not None and not isinstance(error, ReliefError):
        error = error.__cause__
    return error or first or UsageError("a part refuses its arguments.")
