"""Images to panoptic labels: semantics of one labeller, objects as clusters of embeddings."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from lightning_modules.labeler import Labeler
from relief.models.segmenters.checkpoint import SegmenterCheckpoint, Which, read_segmenter
from relief.ops.embeddings.guided_merge import paint_instances, voted_classes
from relief.ops.objects.panoptic_map import compose_panoptic
from relief.ops.resize import resize_image, resize_nearest
from relief.schema.errors import UsageError, WeightsError
from relief.schema.geometry import scaled_size
from relief.schema.manifest import Manifest, ManifestInputs
from relief.schema.observation import LabelRecord, Observation
from relief.schema.parts import Splitter
from relief.schema.training import PixelEmbedder


@dataclass(frozen=True)
class Embeddings:
    """A trained embedding network and the thing categories whose objects it finds.

    Attributes:
        checkpoint: `last.ckpt` of its training, or an exported network.
        categories: A group of category ids; `None`: all things.
        which: Of a training with a teacher, the network that is used; its teacher unless given.
    """

    checkpoint: Path
    categories: list[int] | None = None
    which: Which | None = None


class EmbeddingLabeler(Labeler):
    """Parts the things of another labeller's semantics by pixel embeddings.

    Guidance goes both ways: regions say where an object may lie, and objects say which category
    most of their pixels have. Thing pixels without an object are void in the panoptic labels.

    Args:
        semantics: Any labeller, such as `SegmenterLabeler` with the checkpoint of a semantic or
            panoptic network, or `StoredLabels`.
        embeddings: Networks by group; every thing category is of one of them at most.
        splitter: Clusters within regions: `EmbeddingClusters`.
        short_side_px: The networks see the image with this short side; splitting runs at half of
            it.
        joined: All things of a network are one region, and the objects name their pixels; else
            regions are the groups of the semantics' labels, single categories where those are
            classes.
        paints: Objects paint their category over the semantic map.
    """

    def __init__(
        self,
        semantics: Labeler,
        embeddings: list[Embeddings],
        splitter: Splitter,
        short_side_px: int = 256,
        joined: bool = False,
        paints: bool = True,
    ) -> None:
        super().__init__()
        self.semantics, self.embeddings, self.splitter = semantics, embeddings, splitter
        self.short_side_px, self.joined, self.paints = short_side_px, joined, paints
        self.embedders = nn.ModuleList()
        self._trained: list[SegmenterCheckpoint] = []
        self._regions: list[Tensor] = []  # of each network, (K,) int64 region of a category, or -1

    def networks(self) -> Mapping[str, nn.Module]:
        """Nothing that loads by itself."""
        return {}

    def load_weights(self) -> None:
        """Loads the semantics and builds the networks of the checkpoints.

        Raises:
            WeightsError: A checkpoint cannot be read, or is of a network without embeddings.
        """
        self.semantics.load_weights()
        if len(self.embedders):
            return
        for trained in self._checkpoints():
            network = trained.build()
            if not hasattr(network, "embed"):
                msg = (
                    f"no embeddings: {trained.path} is of {type(network).__name__}. Give a "
                    "checkpoint of EmbeddingNetwork (configs/train/sample_embeddings.yaml)."
                )
                raise WeightsError(msg)
            self.embedders.append(network)

    def _checkpoints(self) -> list[SegmenterCheckpoint]:
        if not self._trained:
            self._trained = [read_segmenter(one.checkpoint, one.which) for one in self.embeddings]
        return self._trained

    def manifest(self, inputs: ManifestInputs) -> Manifest:
        """Makes the manifest: that of the semantics, with the networks and what they depended on.

        Raises:
            UsageError: A category has no network, or several.
        """
        manifest = self.semantics.manifest(inputs)
        self._regions = self._regions_of(manifest)
        weights = dict(manifest.weights)
        supervision, notes = list(manifest.supervision), list(manifest.notes)
        for number, trained in enumerate(self._checkpoints()):
            weights[f"embeddings/{number}"] = trained.sha256
            supervision += trained.origin.supervision
            notes += trained.origin.notes
        return dataclasses.replace(
            manifest,
            weights=weights,
            confidence=None,
            supervision=tuple(dict.fromkeys(supervision)),
            notes=tuple(dict.fromkeys(notes)),
        )

    def _regions_of(self, manifest: Manifest) -> list[Tensor]:
        """Which region each category is of, for each network.

        Raises:
            UsageError: A category is no thing of the semantics, or of several networks.
        """
        things, taken = set(manifest.thing_ids or ()), set[int]()
        regions = []
        for one in self.embeddings:
            own = things if one.categories is None else set(one.categories)
            wrong = sorted((own - things) | (own & taken))
            if wrong:
                msg = (
                    f"categories {wrong} of {one.checkpoint}: expected things of the semantics "
                    f"({sorted(things)}), each of one network. Correct model.embeddings."
                )
                raise UsageError(msg)
            taken |= own
            groups = manifest.group_of_id
            region = torch.zeros_like(groups) if self.joined else groups
            inside = torch.zeros_like(region, dtype=torch.bool)
            inside[sorted(own)] = True
            regions.append(torch.where(inside, region, -1))
        return regions

    def label_by_key(
        self, key: str, image: Tensor, depth: Tensor | None, wanted: Collection[str] = ()
    ) -> LabelRecord:
        """Labels one image; see `Labeler.label`.

        Raises:
            ReadError: The semantics or a network cannot take this image.
        """
        semantic = self.semantics.label_by_key(key, image, depth, wanted).semantic
        instance = self._objects(image, semantic)
        if self.paints:
            semantic = paint_instances(semantic, instance, voted_classes(semantic, instance))
        panoptic = compose_panoptic(semantic, instance, len(self._regions[0]))
        return LabelRecord(semantic=semantic, panoptic=panoptic)

    def _objects(self, image: Tensor, semantic: Tensor) -> Tensor:
        """(H, W) int64, 0 = none, 1..N: the objects of all networks, whose regions are disjoint."""
        size = scaled_size((image.shape[-2], image.shape[-1]), self.short_side_px)
        small = resize_image(image[None], size)
        half = (-(-size[0] // 2), -(-size[1] // 2))
        at_half = resize_nearest(semantic[None], half)
        instance = torch.zeros_like(at_half)
        for network, regions in zip(self.embedders, self._regions, strict=True):
            observation = Observation(
                semantic=at_half,
                things=torch.zeros(0, dtype=torch.bool, device=image.device),
                features=cast(PixelEmbedder, network).embed(small),
            ).regions(regions)
            found = self.splitter.split(observation).instance
            instance = torch.where(found > 0, found + instance.max(), instance)
        at_size = resize_nearest(instance, (image.shape[-2], image.shape[-1]))[0]
        # At borders the smaller map reaches beyond the regions of the larger one.
        things = torch.stack([(r >= 0).to(image.device) for r in self._regions]).any(dim=0)
        return torch.where((semantic >= 0) & things[semantic.clamp(min=0)], at_size, 0)
