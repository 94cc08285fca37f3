"""A trained network on disk: its weights, its classes, and what they depended on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import safe_open
from torch import Tensor, nn

from relief.models.segmenters.network_settings import MakeNetwork, NetworkSettings
from relief.models.weights.files import fill, refuse_not_finite, sha256_of
from relief.schema.errors import UsageError, WeightsError
from relief.schema.plain_text import sentences_of
from relief.schema.training import DetectorClasses, LabelOrigin

Which = Literal["teacher", "student"]
METADATA_KEY = "segmenter"  # of an exported file
NETWORK_KEY = "network"  # of a checkpoint, and in the metadata
PREDICTION_KEY = "prediction"
SELECTION_KEY = "selection"  # by which ground truth a checkpoint was chosen
CHOICE_KEY = "choice"  # by which figure without ground truth
_NETWORK, _TEACHER = "network.", "teacher."
_COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class SegmenterCheckpoint:
    """One network that a training wrote, as far as others use it.

    Attributes:
        path: The file.
        sha256: Of the file.
        classes: The classes the network was trained for.
        origin: Where the labels it learned from come from, how it was chosen included.
        weights: Tensors of the network by name.
        network: How the network is made; `None` where the file does not say.
        prediction: How its recipe makes maps of outputs (`PanopticPredictor.settings`), by name.
    """

    path: Path
    sha256: str
    classes: DetectorClasses
    origin: LabelOrigin
    weights: Mapping[str, Tensor]
    network: NetworkSettings | None = None
    prediction: Mapping[str, Any] = field(default_factory=dict)

    def build(
        self, make_network: MakeNetwork | None = None, changes: Mapping[str, Any] | None = None
    ) -> nn.Module:
        """The network with its weights, in evaluation mode.

        Batch norms that were frozen have no counters of batches; they start from 0.

        Args:
            make_network: Makes it in place of what the file says.
            changes: Arguments of the network that have other values than there.

        Raises:
            WeightsError: The checkpoint is of another network, or does not say of which.
            UsageError: The network has no such argument to change.
        """
        make: Any = make_network or self._maker()
        try:
            network: nn.Module = make(
                self.classes.num_things, self.classes.num_regions, **(changes or {})
            )
        except TypeError as error:
            if not changes:
                raise
            msg = f"cannot change {', '.join(changes)} of the network of {self.path} ({error})."
            raise UsageError(msg) from error
        counters = {
            name: torch.zeros_like(value)
            for name, value in network.state_dict().items()
            if name.endswith(_COUNTER)
        }
        fill(network, {**counters, **self.weights}, source=self.path)
        return network.eval()

    def _maker(self) -> MakeNetwork:
        if self.network is None:
            msg = (
                f"{self.path} does not say which network it is of: an earlier version wrote it. "
                "Name the network: --model.init_args.network CLASS."
            )
            raise WeightsError(msg)
        return self.network.maker(self.path)


def read_segmenter(path: Path, which: Which | None = None) -> SegmenterCheckpoint:
    """Reads a checkpoint of `train.py`, or an exported network; nothing it holds is run.

    Args:
        path: `last.ckpt` of any training, or a `.safetensors` file of
            `relief.models.segmenters.export`.
        which: The teacher or the student of a self-training; the teacher unless given. Other files
            hold one network, which is the one.

    Raises:
        WeightsError: It is missing, damaged, not finite, holds code, or is no such file.
    """
    path = Path(path)
    if not path.is_file():
        msg = (
            f"no checkpoint: {path}. Train one (`python train.py` for the sample), or give the "
            "last.ckpt of a `train.py fit` run."
        )
        raise WeightsError(msg)
    read = _read_export if path.suffix == ".safetensors" else _read_training
    try:
        told, weights = read(path, which)
        classes = DetectorClasses.of(told["classes"])
        supervision = supervision_of(told)
        notes = notes_of(told)
        network = NetworkSettings.of(told.get(NETWORK_KEY))
        prediction = dict(told.get(PREDICTION_KEY) or {})
    except Exception as error:  # a cut or foreign file fails in many ways
        msg = f"cannot read checkpoint: {path}. Give the last.ckpt of a `train.py fit` run."
        raise WeightsError(msg) from error
    refuse_not_finite(weights, path)
    return SegmenterCheckpoint(
        path=path,
        sha256=sha256_of(path),
        classes=classes,
        origin=LabelOrigin(
            supervision=supervision,
            notes=notes,
            label_classes=told.get("label_classes"),
            codebook=told.get("codebook"),
        ),
        weights=weights,
        network=network,
        prediction=prediction,
    )


def supervision_of(checkpoint: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns which ground truth a checkpoint depended on, one sentence each; empty: none."""
    sentences, selection = sentences_of(checkpoint, "supervision"), checkpoint.get(SELECTION_KEY)
    chosen = (f"network: chosen among checkpoints by {selection}",) if selection else ()
    return tuple(dict.fromkeys((*sentences, *chosen)))


def notes_of(checkpoint: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns what else is told of a checkpoint, one sentence each."""
    notes, choice = sentences_of(checkpoint, "notes"), checkpoint.get(CHOICE_KEY)
    chosen = (f"network: chosen among checkpoints by {choice}",) if choice else ()
    return tuple(dict.fromkeys((*notes, *chosen)))


def _read_training(path: Path, which: Which | None) -> tuple[dict[str, Any], dict[str, Tensor]]:
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    state: dict[str, Tensor] = content["state_dict"]
    has_teacher = any(name.startswith(_TEACHER) for name in state)
    prefix = _TEACHER if has_teacher and which != "student" else _NETWORK
    return content, {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }


def _read_export(path: Path, which: Which | None) -> tuple[dict[str, Any], dict[str, Tensor]]:
    del which
    with safe_open(path, framework="pt") as file:
        told: dict[str, Any] = json.loads((file.metadata() or {})[METADATA_KEY])
        return told, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
