"""Names of a trained network, objects of depth."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from lightning_modules.labeler import Needing, origin, refuse_missing, sources_of
from lightning_modules.segmenter_labeler import SegmenterLabeler
from relief.models.codebooks.codebook import Codebook
from relief.models.codebooks.thing_rule import split_together
from relief.models.confidence.evidence import Confidence, Evidence
from relief.models.depth.sources import depth_at
from relief.models.labelling.leftovers import LeaveVoid, Leftovers
from relief.models.labelling.panoptic_labels import label_record
from relief.models.segmenters.checkpoint import Which
from relief.models.segmenters.prediction.predictor import PanopticPredictor
from relief.ops.objects.region_merge import require_things_apart
from relief.ops.resize import resize_nearest
from relief.schema.geometry import scaled_size
from relief.schema.label_spaces import thing_mask
from relief.schema.manifest import Manifest, ManifestInputs
from relief.schema.observation import DEPTH, IMAGE, STUFF, LabelRecord, Observation, Split
from relief.schema.parts import Splitter
from relief.schema.training import Segmenter


class DepthObjectsLabeler(SegmenterLabeler):
    """Joins the semantics of a trained network with objects cut by depth.

    All things that the network sees are one region; the splitter cuts it, and each object is named
    by the majority of the network's pixels inside. For whoever has depth when labels are made: a
    network learns names in minutes, masks of objects in days. The network's detections are not
    looked at.

    Args:
        checkpoint: As `SegmenterLabeler`; of a training that tells things apart in its semantics.
        splitter: Things to objects.
        network: As `SegmenterLabeler`.
        depth: A depth network, or `None` where depth comes with the images.
        split_short_side_px: The size at which splitting runs.
        leftovers: What becomes of thing pixels that no object takes.
        predictor: The sizes and views in which the network sees an image.
        which: As `SegmenterLabeler`.
        network_changes: As `SegmenterLabeler`.
        confidence: Says how sure the labels are, without features: parts that need them are
            refused. What the splitter says, if anything, unless given.
    """

    def __init__(
        self,
        checkpoint: Path,
        splitter: Splitter,
        network: Callable[[int, int], nn.Module] | None = None,
        depth: nn.Module | None = None,
        split_short_side_px: int = 512,
        leftovers: Leftovers | None = None,
        predictor: PanopticPredictor = PanopticPredictor(),  # noqa: B008  # frozen
        which: Which | None = None,
        network_changes: dict[str, Any] | None = None,
        confidence: Confidence | None = None,
    ) -> None:
        super().__init__(checkpoint, network, predictor, which, network_changes)
        self.splitter, self.depth = splitter, depth
        self.split_short_side_px = split_short_side_px
        self.leftovers, self.confidence = leftovers or LeaveVoid(), confidence

    def expect(self, *, has_depth: bool) -> None:
        """Refuses a run without an input that a part needs.

        Raises:
            UsageError: It needs depth, and neither files nor a network give any; or features.
        """
        given = {IMAGE, STUFF, *([DEPTH] if has_depth or self.depth else [])}
        refuse_missing(self._looking, given)

    @property
    def _looking(self) -> tuple[Needing, ...]:
        """The parts that say what they look at."""
        sure = () if self.confidence is None else (self.confidence,)
        return self.splitter, self.leftovers, *sure

    def networks(self) -> Mapping[str, nn.Module]:
        """The depth network if there is one; the other fills itself from the checkpoint."""
        return {"depth": self.depth} if self.depth else {}

    def load_weights(self) -> None:
        """As `SegmenterLabeler`.

        Raises:
            WeightsError: A file cannot be read or is of another network.
            UsageError: The network does not tell things apart in its semantics.
        """
        require_things_apart(self.trained.classes)
        super().load_weights()
        for network in self.networks().values():
            cast(Any, network).setup()
        if self.confidence is not None:
            self.confidence.setup(dim=0)

    def manifest(self, inputs: ManifestInputs) -> Manifest:
        """Makes the manifest: the checkpoint, and where depth comes from."""
        parts, depth = sources_of(self.networks(), inputs.parts, inputs.depth_record)
        told, source = super().manifest(dataclasses.replace(inputs, parts=parts)), origin(depth)
        is_region = [0 if group >= 0 else -1 for group in told.groups or ()]
        return dataclasses.replace(
            told,
            groups=tuple(is_region),
            weights={**told.weights, **source.weights},
            supervision=(*told.supervision, *source.supervision),
            notes=(*told.notes, *source.notes),
            confidence=self.confidence.name if self.confidence else self.splitter.confidence_name,
        )

    def label(
        self, image: Tensor, depth: Tensor | None, wanted: Collection[str] = ()
    ) -> LabelRecord:
        """Labels one image; see `Labeler.label`."""
        del wanted
        semantic, observation = self._observe(image, depth)
        things = thing_mask(self.trained.classes.things, self.trained.classes.num_categories)
        regions = torch.from_numpy(split_together(things.numpy(), things.long().numpy(), "one"))

        def cut(seen: Observation) -> Tensor:
            split = self.splitter.split(seen.regions(regions))
            return self.leftovers.fill(seen, split.instance)[1]

        def mirrored() -> Observation:
            return self._observe(image.flip(-1), None if depth is None else depth.flip(-1))[1]

        def sure(labelled: Observation, instance: Tensor, split: Split) -> Tensor:
            part = cast(Confidence, self.confidence)
            return part.of(Evidence(labelled, instance, split, Codebook(), cut, mirrored))

        told = None if self.confidence is None else sure
        return label_record(semantic, observation, regions, self.splitter, self.leftovers, told)

    def _observe(self, image: Tensor, depth: Tensor | None) -> tuple[Tensor, Observation]:
        """Categories (H, W) that the network sees, and all that is seen where splitting runs."""
        own_size = (image.shape[-2], image.shape[-1])
        size = scaled_size(own_size, self.split_short_side_px)
        network, classes = cast(Segmenter, self.network), self.trained.classes
        logits = self.predictor.see(network, image[None], own_size)["semantic_logits"]
        category = classes.category_of_region().to(logits.device)
        semantic = category[logits[0, 1:].argmax(dim=0) + 1]
        stuff = category[logits[0, 1 : 1 + classes.num_stuff].argmax(dim=0) + 1]
        things = thing_mask(classes.things, classes.num_categories)
        observation = Observation(
            semantic=resize_nearest(semantic[None], size),
            things=things.to(logits.device),
            image=image[None] if any(IMAGE in part.needs for part in self._looking) else None,
            depth=depth_at(self.depth, image, depth, size),
            stuff=resize_nearest(stuff[None], size),
        )
        return semantic, observation
