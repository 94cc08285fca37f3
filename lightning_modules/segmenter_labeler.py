"""Images to panoptic labels by a trained network."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, cast

from torch import Tensor, nn

from lightning_modules.labeler import Labeler
from relief.models.segmenters.checkpoint import SegmenterCheckpoint, Which, read_segmenter
from relief.models.segmenters.prediction.predictor import PanopticPredictor
from relief.schema.manifest import Manifest, ManifestInputs
from relief.schema.observation import LabelRecord
from relief.schema.training import Segmenter


class SegmenterLabeler(Labeler):
    """Labels with a network that `train.py` trained; categories are those of its labels.

    Args:
        checkpoint: What training wrote, such as `OUT/checkpoints/last.ckpt`, or an exported
            network.
        network: Makes the network for (number of thing classes, number of regions), where the
            checkpoint does not say how.
        predictor: How outputs become a panoptic map.
        which: Of a self-training, the network that labels; its teacher unless given.
        network_changes: Arguments of the network that are others than in the checkpoint.
        tells_confidence: Whether `confidence/` and scores are written: the score of the detection
            in objects, the probability of the class elsewhere.
    """

    network: nn.Module

    def __init__(
        self,
        checkpoint: Path,
        network: Callable[[int, int], nn.Module] | None = None,
        predictor: PanopticPredictor = PanopticPredictor(),  # noqa: B008  # frozen
        which: Which | None = None,
        network_changes: dict[str, Any] | None = None,
        tells_confidence: bool = False,
    ) -> None:
        super().__init__()
        self.checkpoint, self.which, self.predictor = checkpoint, which, predictor
        self.make_network, self.network_changes = network, network_changes or {}
        self.tells_confidence = tells_confidence
        self._trained: SegmenterCheckpoint | None = None

    @property
    def trained(self) -> SegmenterCheckpoint:
        """The content of the checkpoint; read once.

        Raises:
            WeightsError: It cannot be read.
        """
        if self._trained is None:
            self._trained = read_segmenter(self.checkpoint, self.which)
        return self._trained

    def networks(self) -> Mapping[str, nn.Module]:
        """Nothing that loads by itself."""
        return {}

    def load_weights(self) -> None:
        """Builds the network for the classes of the checkpoint and fills it.

        Raises:
            WeightsError: The checkpoint cannot be read or is of another network.
            UsageError: The predictor cannot make maps of its classes, or the network has no such
                argument to change.
        """
        self.predictor.check(self.trained.classes)
        if not hasattr(self, "network"):
            self.network = self.trained.build(self.make_network, self.network_changes)

    def manifest(self, inputs: ManifestInputs) -> Manifest:
        """Makes the manifest: the checkpoint and how its outputs are merged."""
        classes, origin = self.trained.classes, self.trained.origin
        group = {category: number for number, category in enumerate(classes.things)}
        return Manifest(
            k=classes.num_categories,
            label_space="oracle_classes" if origin.label_classes else "clusters",
            classes=origin.label_classes,
            parts=inputs.parts,
            weights={"network/checkpoint": self.trained.sha256},
            thing_ids=tuple(sorted(classes.things)),
            groups=tuple(group.get(category, -1) for category in range(classes.num_categories)),
            confidence=f"{type(self).__module__}.{type(self).__qualname__}"
            if self.tells_confidence
            else None,
            supervision=origin.supervision,
            notes=origin.notes,
            images=dict.fromkeys(inputs.keys, "pending"),
        )

    def label(
        self, image: Tensor, depth: Tensor | None, wanted: Collection[str] = ()
    ) -> LabelRecord:
        """Labels one image; see `Labeler.label`. Void in one map is void in the other."""
        del depth, wanted
        network, classes = cast(Segmenter, self.network), self.trained.classes
        if not self.tells_confidence:
            size = (image.shape[-2], image.shape[-1])
            (panoptic,) = self.predictor(network, classes, image[None], size)
            return LabelRecord(semantic=panoptic[..., 0], panoptic=panoptic)
        return self.predictor.record(network, classes, image)
