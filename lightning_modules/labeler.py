"""What the labelling script asks of every labeller, pseudo or trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from relief.schema.batch import ImageBatch, PanopticPrediction
from relief.schema.manifest import Manifest
from relief.schema.parts import Backbone


class Labeler(pl.LightningModule):
    """Images to panoptic labels, one by one, whatever the batch, so that its size changes no byte.

    Subclasses implement `label`, `networks` and `manifest`.
    """

    def label(self, image: Tensor, depth: Tensor | None) -> tuple[Tensor, Tensor]:
        """Labels one image.

        Args:
            image: (3, H, W) float32 in [0, 1].
            depth: (1, 1, h, w) float32 in [0, 1] or `None`.

        Returns:
            Semantic map (H, W) and panoptic map (H, W, 2), int64, at the image's own size.
        """
        raise NotImplementedError

    def networks(self) -> Mapping[str, nn.Module]:
        """The parts that have weights, by role."""
        raise NotImplementedError

    def manifest(self, parts: Mapping[str, Any], keys: Sequence[str]) -> Manifest:
        """What determines the labels, as far as it is known now."""
        raise NotImplementedError

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
            "semantic": [],
            "panoptic": [],
            "failures": list(batch.get("failures", [])),
        }
        for i, key in enumerate(batch["key"]):
            depth = batch["depth"][i : i + 1] if "depth" in batch else None
            semantic, panoptic = self.label(batch["image"][i], depth)
            prediction["key"].append(key)
            prediction["semantic"].append(semantic)
            prediction["panoptic"].append(panoptic)
        return prediction

    def on_predict_start(self) -> None:
        """Evaluation mode, whatever came before."""
        self.eval()


def provenance(networks: Mapping[str, nn.Module]) -> tuple[dict[str, str], list[str], list[str]]:
    """Weight hashes by role, supervision sentences, and notes of some networks."""
    hashes: dict[str, str] = {}
    supervision: list[str] = []
    notes: list[str] = []
    for role, network in networks.items():
        told = getattr(network, "provenance", {})
        for name, digest in told.get("sha256", {}).items():
            hashes[f"{role}/{name}"] = digest
        if told.get("supervision"):
            supervision.append(f"{role}: {told['supervision']}")
        if told.get("note"):
            notes.append(str(told["note"]))
    return hashes, supervision, notes
