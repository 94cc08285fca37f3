"""The seam between the labelling script and every labeller, pseudo or trained."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from relief.models.backbones.provenance import Provenance
from relief.schema.batch import ImageBatch, PanopticPrediction
from relief.schema.errors import UsageError, reason_of
from relief.schema.manifest import Manifest, ManifestInputs
from relief.schema.observation import PICTURED, LabelRecord
from relief.schema.parts import Backbone


class Labeler(pl.LightningModule):
    """Images to panoptic labels, one by one; the size of a batch changes no byte by itself.

    Subclasses implement `label`, `networks` and `manifest`.

    Attributes:
        pictured: Keys of images whose records keep what pictures need; whoever paints says so.
    """

    pictured: frozenset[str] = frozenset()

    def label(
        self, image: Tensor, depth: Tensor | None, wanted: Collection[str] = ()
    ) -> LabelRecord:
        """Labels one image.

        Args:
            image: (3, H, W) float32 in [0, 1].
            depth: (1, 1, h, w) float32 in [0, 1] or `None`.
            wanted: What the observation of the record is to hold for pictures, where there is one.

        Raises:
            ReadError: A network cannot take this image; the others can be labelled.
        """
        raise NotImplementedError

    def begin_batch(self, keys: Sequence[str], images: Tensor) -> None:
        """Takes note of the images (B, 3, H, W) of a batch before each is labelled by its key."""

    def label_by_key(
        self, key: str, image: Tensor, depth: Tensor | None, wanted: Collection[str] = ()
    ) -> LabelRecord:
        """Labels one image as `label`; for labellers that know something of it by its key."""
        del key
        return self.label(image, depth, wanted)

    def networks(self) -> Mapping[str, nn.Module]:
        """The parts that have weights, by role."""
        raise NotImplementedError

    def manifest(self, inputs: ManifestInputs) -> Manifest:
        """Makes the manifest of the labels, as far as it is known now.

        Args:
            inputs: The configuration, the images and their depth.
        """
        raise NotImplementedError

    @property
    def is_ready(self) -> bool:
        """Whether labels can be predicted; not before a codebook is there, where one is needed."""
        return True

    def read_codebook(self, path: Path) -> None:
        """Loads a codebook.

        Raises:
            UsageError: This labeller has none.
        """
        msg = f"this labeller needs no codebook: {path}. Leave --codebook out."
        raise UsageError(msg)

    def save_codebook(self, path: Path) -> None:
        """Writes the codebook, where there is one."""
        del path

    def expect(self, *, has_depth: bool) -> None:
        """Finds before any work what no image could be labelled without.

        Args:
            has_depth: Whether depth comes with the images.

        Raises:
            UsageError: Something is missing.
        """
        del has_depth

    def load_weights(self) -> None:
        """Loads the weights of all networks; wrong ones stop the run here.

        Raises:
            WeightsError: See `Backbone.setup`.
        """
        for network in self.networks().values():
            cast(Backbone, network).setup()

    @torch.no_grad()
    def predict_step(self, batch: ImageBatch, batch_idx: int) -> PanopticPrediction:
        """Labels a batch; an image that fails becomes a failure, the others are labelled."""
        del batch_idx
        prediction: PanopticPrediction = {
            "key": [],
            "records": [],
            "failures": list(batch.get("failures", [])),
        }
        self.begin_batch(batch["key"], batch["image"])
        for i, key in enumerate(batch["key"]):
            depth = batch["depth"][i : i + 1] if "depth" in batch else None
            wanted = PICTURED if key in self.pictured else ()
            try:
                record = self.label_by_key(key, batch["image"][i], depth, wanted)
            except Exception as error:
                prediction["failures"].append({"key": key, "reason": reason_of(error, key)})
                continue
            prediction["key"].append(key)
            prediction["records"].append(record)
        return prediction

    def on_predict_start(self) -> None:
        """Evaluation mode, whatever came before."""
        self.eval()


class Needing(Protocol):
    """A part that says what it looks at."""

    @property
    def needs(self) -> frozenset[str]:
        """Fields of `Observation`."""
        ...


class Origin(NamedTuple):
    """Where the weights of a labeller come from, for its manifest."""

    weights: dict[str, str]  # sha256 by role and file
    supervision: tuple[str, ...]
    notes: tuple[str, ...]


def origin(provenances: Mapping[str, Mapping[str, Any]]) -> Origin:
    """Hashes, supervision and notes by role, of what has a `Provenance`."""
    weights: dict[str, str] = {}
    supervision: list[str] = []
    notes: list[str] = []
    for role, told in provenances.items():
        weights |= {f"{role}/{name}": sha for name, sha in told.get("weights", {}).items()}
        supervision += [f"{role}: {sentence}" for sentence in told.get("supervision", ())]
        notes += told.get("notes", ())
    return Origin(weights, tuple(supervision), tuple(notes))


def sources_of(
    networks: Mapping[str, nn.Module],
    parts: Mapping[str, Any],
    depth_record: Mapping[str, Any] | None,
) -> tuple[dict[str, Any], dict[str, Mapping[str, Any]]]:
    """Tells where labels come from; of depth that was read like of depth that is computed.

    Args:
        networks: The parts that have weights, by role; a depth network goes before files.
        parts: `class_path` and `init_args` by role.
        depth_record: See `Labeler.manifest`; `None` where depth is not looked at.

    Returns:
        The parts, with the numbers that depth files were made with as `depth_files`; and what has
        a `Provenance`, by role, as `origin` takes it.
    """
    told = {role: getattr(network, "provenance", {}) for role, network in networks.items()}
    if "depth" in networks or not depth_record:
        return dict(parts), told
    made_with = {n: v for n, v in depth_record.items() if n not in Provenance.__annotations__}
    files = {"depth_files": made_with} if made_with else {}
    return {**parts, **files}, {**told, "depth": depth_record}


def refuse_missing(parts: Iterable[Needing], given: Collection[str]) -> None:
    """Refuses parts that look at what nothing gives.

    Raises:
        UsageError: The first of them, with what it needs.
    """
    for part in parts:
        missing = ", ".join(sorted(part.needs - set(given)))
        if missing:
            msg = (
                f"{type(part).__name__} needs {missing}: nothing gives it. Set "
                "--data.init_args.depth (files) or --model.init_args.depth (a network), or take "
                "relief.splitters.connected.ConnectedSplitter."
            )
            raise UsageError(msg)
