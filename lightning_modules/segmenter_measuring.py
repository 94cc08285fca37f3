"""Panoptic networks measured against ground truth."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torchmetrics import MetricCollection

from relief.metrics.panoptic_quality import MatchedPanopticQuality
from relief.metrics.scoring import PERCENT
from relief.models.segmenters.prediction.predictor import PanopticPredictor
from relief.schema.batch import ImageBatch
from relief.schema.errors import ReadError
from relief.schema.label_spaces import VOID, LabelSpace
from relief.schema.training import DetectorClasses, Segmenter

LOGGED = ("pq", "pq_things", "pq_stuff", "sq", "rq", "miou")
SELECTED_BY = "val ground truth"
log = logging.getLogger("relief.training")


class SegmenterMeasuring(pl.LightningModule):
    """Measures one or more networks on the validation images of its data.

    Args:
        predictor: How outputs become a panoptic map.
        protocols: Protocols of the panoptic quality; the first one gives `val/pq`.
        assignment: How clusters meet classes on the validation images.

    Attributes:
        classes: Of the networks, known once they are built.
        evaluation: What the last validation found, ground truth included; kept apart.
        free_arguments: Arguments that decide nothing but the figures.
    """

    free_arguments = frozenset({"predictor", "protocols", "assignment"})

    def __init__(
        self, predictor: PanopticPredictor, protocols: Sequence[str], assignment: str
    ) -> None:
        super().__init__()
        self.predictor = predictor
        self.protocols, self.assignment = tuple(protocols), assignment
        self.classes = DetectorClasses((), ())
        self.quality = nn.ModuleDict()
        self.evaluation: dict[str, Any] = {}

    @property
    @abstractmethod
    def measured(self) -> Mapping[str, Segmenter]:
        """The networks that are measured, by name; the first one gives `val/pq`."""

    def prepare_measuring(self) -> None:
        """Makes the metrics, once the classes and the networks are there.

        Raises:
            UsageError: The predictor cannot make maps of these classes.
        """
        self.predictor.check(self.classes)
        space: LabelSpace = cast(Any, self.trainer).datamodule.label_space
        for name in self.measured:
            self.quality[name] = MetricCollection(
                {
                    protocol: MatchedPanopticQuality(
                        self.classes.num_categories,
                        space.things,
                        space.stuffs,
                        self.classes.things,
                        self.assignment,
                        protocol,
                    )
                    for protocol in self.protocols
                }
            )

    def validation_step(self, batch: ImageBatch, batch_idx: int) -> dict[str, list[Tensor]]:
        """Predicts at the size of the ground truth; where a network gives NaN there is no label.

        Returns:
            `panoptic`, the (H, W, 2) maps by the first of the measured networks.
        """
        del batch_idx
        if len(batch["key"]) == 0:
            return {"panoptic": []}
        target = batch["target"]
        size = (target.shape[1], target.shape[2])
        maps = []
        for name, network in self.measured.items():
            try:
                maps.append(self.predictor(network, self.classes, batch["image"], size))
            except ReadError as error:
                log.warning("warning: %s: %s counts as void: %s", name, batch["key"], error)
                void = torch.full_like(target[..., 0], VOID)
                maps.append(torch.stack((void, torch.zeros_like(void)), dim=-1))
            cast(MetricCollection, self.quality[name]).update(maps[-1], target, batch["key"])
        return {"panoptic": list(maps[0])}

    def on_validation_epoch_end(self) -> None:
        """Logs the figures in percent and keeps the assignments apart, for whoever looks.

        `val/pq` is the first measured network's by the first protocol, `val_PROTOCOL/pq` by
        another; where several networks are measured, each has its `val/NAME_pq`.
        """
        assignments: dict[str, dict[str, list[int]]] = {}
        for name in self.measured:
            quality = cast(MetricCollection, self.quality[name])
            found = {
                protocol: cast(Any, quality[protocol]).compute() for protocol in self.protocols
            }
            quality.reset()
            assignments[name] = {p: figures["assignment"].tolist() for p, figures in found.items()}
            for protocol, figures in found.items():
                self._log_figures(name, protocol, figures)
        first = next(iter(self.measured))
        self.evaluation = {"selection": SELECTED_BY, "assignment": assignments[first]}

    def _log_figures(self, name: str, protocol: str, figures: Mapping[str, Tensor]) -> None:
        group = "val" if protocol == self.protocols[0] else f"val_{protocol}"
        names = list(self.measured)
        prefixes = [f"{group}/"] if name == names[0] else []
        prefixes += [f"{group}/{name}_"] if len(names) > 1 else []
        for prefix in prefixes:
            self.log_dict({f"{prefix}{kind}": PERCENT * figures[kind].float() for kind in LOGGED})

    def test_step(self, batch: ImageBatch, batch_idx: int) -> dict[str, list[Tensor]]:
        """As `validation_step`."""
        return self.validation_step(batch, batch_idx)

    def on_test_epoch_end(self) -> None:
        """As `on_validation_epoch_end`."""
        self.on_validation_epoch_end()
