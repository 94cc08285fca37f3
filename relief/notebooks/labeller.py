"""A recipe as a function: `relief.load("image_folder")(images)`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from relief.formats.files.atomic import writable
from relief.formats.images import refuse_line
from relief.notebooks.given_images import GivenImage, given_images
from relief.notebooks.held_labels import HeldLabels
from relief.notebooks.labels import Labels
from relief.notebooks.recipe_parts import CodebookPass, RecipeParts, recipe_parts
from relief.processes.progress import with_progress
from relief.schema.batch import Failure, first_reasons
from relief.schema.errors import ReadError, UsageError, reason_of
from relief.schema.manifest import ManifestInputs
from relief.schema.selection import OBSERVED_IMAGES, evenly_spaced


class Labeller:
    """Labels images as label.py does, in this process, without a trainer.

    The first images fit the codebook where the recipe needs one: give it as many as there are.
    Images after them are labelled by the same clusters. For thousands of images there is label.py,
    which writes as it goes.

    Args:
        parts: Of a recipe.
        device: Where networks compute.
        codebook: A codebook to label by, such as `OUT/codebook.safetensors`.

    Raises:
        UsageError: The recipe needs what images alone do not give: depth files, ground truth.
        WeightsError: Weights or codebook cannot be read.
    """

    def __init__(
        self, parts: RecipeParts, device: torch.device, codebook: Path | None = None
    ) -> None:
        self._parts, self._device = parts, device
        self._labeller = parts.labeller
        self._labeller.expect(has_depth=False)
        self._labeller.load_weights()
        if codebook is not None:
            self._labeller.read_codebook(codebook)
        passes = (parts.fitter, parts.thingness)
        self._passes: list[Any] = [one for one in passes if one is not None]
        if any(one.needs_targets for one in self._passes):
            raise UsageError("this recipe names clusters by ground truth. Use label.py for it.")
        for part in (self._labeller, *self._passes):
            part.to(device)
        self._labeller.eval()

    @property
    def is_fitted(self) -> bool:
        """Whether images can be labelled; the first ones are clustered otherwise."""
        return self._labeller.is_ready

    def __call__(self, images: Any) -> Labels:
        """Labels images; see `given_images` for what may be given.

        One that cannot be labelled stands in `failures` of the result, the others are labelled.

        Raises:
            UsageError: Something is no image.
            ReadError: None could be labelled.
        """
        given = given_images(images)
        if not self.is_fitted:
            self._fit(given)
        records, failures = {}, list[Failure]()
        for image in with_progress(given, "labelling", len(given)):
            try:
                with torch.no_grad():
                    pixels = self._on_device(image)
                    record = self._labeller.label_by_key(image.key, pixels, None)
            except Exception as error:
                failures.append({"key": image.key, "reason": reason_of(error, image.key)})
                continue
            records[image.key] = record
        if not records:
            raise ReadError(f"no image could be labelled: {first_reasons(failures)}")
        keys = [image.key for image in given]
        manifest = self._labeller.manifest(ManifestInputs(self._parts.determinants, keys))
        held = HeldLabels(records, manifest, {one.key: one.file_name for one in given}, failures)
        photographs = {image.key: image.read for image in given if image.key in records}
        keep = partial(held.keep, save_codebook=self._labeller.save_codebook)
        return Labels(held, manifest, photographs, held.confidence, failures, keep)

    def fit(self, images: Any) -> None:
        """Clusters the features of images anew, in place of a codebook that is there.

        Raises:
            UsageError: The labeller needs no codebook, or something is no image.
            ReadError: No image could be read.
        """
        self._fit(given_images(images))

    def save_codebook(self, path: str | Path) -> None:
        """Writes the codebook, for `relief.load(..., codebook=path)` or `label.py --codebook`.

        Raises:
            UsageError: There is none yet.
            WriteError: The file cannot be written.
        """
        if not self._passes or not self.is_fitted:
            raise UsageError("no codebook to save: label or fit images first.")
        with writable(Path(path).parent):
            self._labeller.save_codebook(Path(path))

    def _fit(self, given: Sequence[GivenImage]) -> None:
        if len(self._passes) < 2:
            msg = "nothing fits a codebook: fitter and thingness. Name both in the recipe."
            raise UsageError(msg)
        fitter, finder = self._parts.fitter, self._parts.thingness
        fitter.expect()
        finder.expect()
        some = evenly_spaced(given, fitter.max_samples)
        fitter.begin(len(some), "")
        self._pass(fitter, some, "sampling features for the codebook")
        finder.on_predict_start()
        observed = evenly_spaced(given, OBSERVED_IMAGES)
        self._pass(finder, observed, "deciding things and groups")

    def _pass(self, part: CodebookPass, images: Sequence[GivenImage], what: str) -> None:
        for number, image in enumerate(with_progress(images, what, len(images))):
            part.predict_step(self._batch(image), number)
        part.finish_alone()

    def _batch(self, image: GivenImage) -> dict[str, Any]:
        empty: dict[str, Any] = {"image": torch.zeros((0, 3, 1, 1)), "key": [], "failures": []}
        try:
            pixels = self._on_device(image)
        except ReadError as error:
            return {**empty, "failures": [{"key": image.key, "reason": str(error)}]}
        return {**empty, "image": pixels[None], "key": [image.key]}

    def _on_device(self, image: GivenImage) -> Tensor:
        pixels = image.read()
        refuse_line(image.key, pixels.shape[-2:])
        return pixels.to(self._device).to(torch.float32) / 255


def load(
    recipe: str | Path = "image_folder",
    options: Mapping[str, object] | None = None,
    codebook: str | Path | None = None,
    device: str | torch.device | None = None,
) -> Labeller:
    """Makes the labeller of a recipe: `relief.load`.

    Args:
        recipe: A name that `relief recipes` lists under `label`, or a file.
        options: Values by option of label.py, such as
            `{"model.init_args.split_short_side_px": 256}`.
        codebook: A codebook to label by; fitted on the first images unless given.
        device: Where networks compute; a GPU where there is one, unless given.

    Raises:
        UsageError: There is no such recipe or option, or it needs more than images.
        WeightsError: Weights are missing or damaged.
    """
    chosen = device or ("cuda" if torch.cuda.is_available() else "cpu")
    parts = recipe_parts(recipe, options or {})
    return Labeller(parts, torch.device(chosen), None if codebook is None else Path(codebook))
