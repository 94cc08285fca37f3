"""A trained network on disk: its weights, its classes, and what they depended on."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from relief.models.weight_files import fill, sha256_of
from relief.schema.errors import WeightsError
from relief.schema.training import DetectorClasses

NETWORK = "network."


@dataclass(frozen=True)
class SegmenterCheckpoint:
    """What a training wrote, as far as others use it.

    Attributes:
        path: The file.
        sha256: Of the file.
        classes: The classes the network was trained for.
        label_classes: The classes of `cityscapes19` and such that the categories are; `None` for
            clusters.
        weights: Tensors of the network by name.
        supervision: Which ground truth it depended on, one sentence each; empty: none.
    """

    path: Path
    sha256: str
    classes: DetectorClasses
    label_classes: str | None
    weights: Mapping[str, Tensor]
    supervision: tuple[str, ...]

    def build(self, make_network: Callable[[int, int], nn.Module]) -> nn.Module:
        """The network with its weights, in evaluation mode.

        Raises:
            WeightsError: The checkpoint is of another network.
        """
        network = make_network(self.classes.num_things, self.classes.num_stuff)
        fill(network, self.weights, source=self.path)
        return network.eval()


def read_segmenter(path: Path) -> SegmenterCheckpoint:
    """Reads a checkpoint of `train.py`; nothing it holds is run.

    Raises:
        WeightsError: It is missing, damaged, holds code, or is no such checkpoint.
    """
    path = Path(path)
    if not path.is_file():
        msg = f"no checkpoint: {path}. Give the last.ckpt of a `train.py fit` run."
        raise WeightsError(msg)
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        classes = DetectorClasses(
            tuple(content["classes"]["things"]), tuple(content["classes"]["stuff"])
        )
        state: dict[str, Tensor] = content["state_dict"]
    except (OSError, RuntimeError, EOFError, KeyError, TypeError, pickle.UnpicklingError) as error:
        msg = f"cannot read checkpoint: {path}. Give the last.ckpt of a `train.py fit` run."
        raise WeightsError(msg) from error
    selection = content.get("selection")
    chosen = (f"network: chosen among checkpoints by {selection}",) if selection else ()
    return SegmenterCheckpoint(
        path=path,
        sha256=sha256_of(path),
        classes=classes,
        label_classes=content.get("label_classes"),
        weights={
            name.removeprefix(NETWORK): value
            for name, value in state.items()
            if name.startswith(NETWORK)
        },
        supervision=(*content.get("supervision", ()), *chosen),
    )
