"""The words of detector training: its classes, its batches, what it predicts, and its seams."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, Protocol, TypedDict, runtime_checkable

import torch
from torch import Tensor, nn

from relief.schema.batch import Failure, ImageBatch
from relief.schema.errors import UsageError
from relief.schema.label_spaces import VOID
from relief.schema.pixel_maps import PixelKind

THING_REGION = 0
"""The semantic class that all things share; telling them apart is the detector's."""


@dataclass(frozen=True)
class DetectorClasses:
    """Which category ids of the labels are things and which are stuff, in the detector's order.

    The detector's thing class t is the category `things[t]`; the semantic head's class 0 is the
    region of all things, its class j + 1 the category `stuff[j]`. Where things are `apart`, the
    classes after those of the stuff are the regions of single thing classes, and 0 stays unused.

    Attributes:
        things: Category ids that come as single objects.
        stuff: Category ids that are regions.
        apart: Whether the semantic head tells thing classes apart. Published detectors do not: what
            it sees as a thing and nobody finds as an object is a hole then.
    """

    things: tuple[int, ...]
    stuff: tuple[int, ...]
    apart: bool = False

    @staticmethod
    def of(known: Mapping[str, Any]) -> DetectorClasses:
        """Reads what a checkpoint keeps; raises `KeyError` or `TypeError` for anything else."""
        things, stuff = tuple(known["things"]), tuple(known["stuff"])
        return DetectorClasses(things, stuff, bool(known.get("apart", False)))

    @property
    def num_things(self) -> int:
        """How many thing classes the detector has."""
        return len(self.things)

    @property
    def num_stuff(self) -> int:
        """How many stuff classes the semantic head has beside the shared thing class."""
        return len(self.stuff)

    @property
    def num_regions(self) -> int:
        """How many classes the semantic head has beside class 0."""
        return self.num_stuff + (self.num_things if self.apart else 0)

    @property
    def num_categories(self) -> int:
        """One more than the largest category id."""
        return max((*self.things, *self.stuff), default=-1) + 1

    def thing_of_category(self) -> Tensor:
        """int64 (num_categories,): the thing class of a category, -1 for the others."""
        return _positions(self.things, self.num_categories)

    def semantic_of_category(self) -> Tensor:
        """int64 (num_categories,): the semantic head's class of a category, -1 = in neither set."""
        lookup = torch.full((self.num_categories,), VOID, dtype=torch.int64)
        lookup[list(self.stuff)] = torch.arange(1, self.num_stuff + 1)
        lookup[list(self.things)] = self.region_of_thing()
        return lookup

    def region_of_thing(self) -> Tensor:
        """int64 (num_things,): the semantic head's class of each thing class."""
        if self.apart:
            return 1 + self.num_stuff + torch.arange(self.num_things)
        return torch.full((self.num_things,), THING_REGION, dtype=torch.int64)

    def category_of_region(self) -> Tensor:
        """int64 (1 + num_regions,): the category of each class of the semantic head, -1 for 0."""
        return torch.tensor((VOID, *self.stuff, *(self.things if self.apart else ())))


def _positions(ids: Sequence[int], size: int) -> Tensor:
    lookup = torch.full((size,), VOID, dtype=torch.int64)
    lookup[list(ids)] = torch.arange(len(ids))
    return lookup


@dataclass(frozen=True)
class LabelOrigin:
    """Where the labels of a training come from; travels with the weights.

    Attributes:
        supervision: Which ground truth they depended on, one sentence each; empty: none.
        notes: What a reader of the labels must know, one sentence each.
        label_classes: The label space of the ids where ground truth named them; `None` for
            clusters.
        codebook: SHA-256 of the codebook that the ids are of, where there is one.
    """

    supervision: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    label_classes: str | None = None
    codebook: str | None = None

    @staticmethod
    def of(told: Any) -> LabelOrigin:
        """Reads what a manifest, or a format that tells of itself, says."""
        return LabelOrigin(
            supervision=tuple(getattr(told, "supervision", ())),
            notes=tuple(getattr(told, "notes", ())),
            label_classes=getattr(told, "classes", None),
            codebook=getattr(told, "codebook", None),
        )


class TrainingBatch(TypedDict):
    """Images of one size with what the detector is to learn from them.

    Masks and boxes are derived from `instance` as the last step, so that every transformation of
    the map keeps them consistent.
    """

    image: Tensor  # (B, 3, H, W) uint8 on the CPU; float32 in [0, 1] on the device; RGB
    # Maps of ids are int16 or int32 on the CPU, int64 on the device.
    semantic: Tensor  # (B, H, W) class of the semantic head (0 = things), -1 = ignored
    instance: Tensor  # (B, H, W): 0 = none, n = object n of the image
    classes: list[Tensor]  # per image (N,) int64 thing class of the objects 1..N
    key: list[str]
    confidence: NotRequired[Tensor]  # (B, H, W) float32 in [0, 1]; absent where the labels say none
    kinds: NotRequired[dict[str, PixelKind]]  # of per-pixel entries beside these
    unlabelled: NotRequired[ImageBatch]  # of another domain, never augmented with the others
    failures: NotRequired[list[Failure]]  # what could not be read; training stops at the first


def unlabelled_images(batch: TrainingBatch) -> Tensor:
    """Returns the unlabelled images (B, 3, H, W) that came beside the labelled ones.

    Raises:
        UsageError: There are none.
    """
    if "unlabelled" not in batch:
        msg = (
            "the criterion learns from a second domain, and the batches hold one: data. "
            "Name datamodules.domain_pair.DomainPair there."
        )
        raise UsageError(msg)
    return batch["unlabelled"]["image"]


class InstanceTargets(TypedDict):
    """The objects of one image, N of them, each with at least one pixel."""

    masks: Tensor  # (N, H, W) bool
    boxes: Tensor  # (N, 4) float32: x0, y0, x1, y1 in px, the last pixel included (x1 = max x + 1)
    classes: Tensor  # (N,) int64 thing class


class Detections(TypedDict):
    """The detections of one image, N objects, by falling score."""

    masks: Tensor  # (N, H, W) bool
    boxes: Tensor  # (N, 4) float32, as in InstanceTargets
    classes: Tensor  # (N,) int64 thing class
    scores: Tensor  # (N,) float32 in [0, 1]


class SegmenterPrediction(TypedDict):
    """The prediction of a detector for a batch."""

    semantic_logits: Tensor  # (B, 1 + regions, H, W) float32
    detections: list[Detections]


class Segmenter(Protocol):
    """A trainable panoptic network: an `nn.Module`, built for its classes."""

    def setup(self) -> None:
        """Loads initial weights, if there are any; called once before training.

        Raises:
            WeightsError: A file is missing, damaged, of another shape, or holds code.
        """

    def __call__(self, batch: TrainingBatch, moment: TrainingMoment) -> dict[str, Tensor]:
        """The weighted losses by name, scalars; their sum is what is minimised.

        Not asked where a `Criterion` says what the losses are.
        """
        ...

    def predict(self, image: Tensor, size: tuple[int, int] | None = None) -> SegmenterPrediction:
        """(B, 3, H, W) float32 in [0, 1] -> what is seen, at `size` or that of the images.

        Without gradients; the mode of the network is left as it is found.
        """
        ...


@runtime_checkable
class Exportable(Protocol):
    """An optional part of a segmenter: what other programs can compute without this one."""

    def traced(self) -> tuple[nn.Module, dict[str, Any]]:
        """Gives what is to be exported, and the numbers that maps are made with.

        Returns:
            A module in evaluation mode from (B, 3, H, W) float32 in [0, 1] to the probabilities of
            classes (B, 1 + regions, h, w) and of boundaries (B, h, w); and what
            `relief/predictions/panoptic_numpy.py` takes by these names.
        """
        ...


class SemanticLogits(Protocol):
    """The part of a network that tells classes pixel by pixel, with gradients."""

    def logits(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) float32 in [0, 1] -> (B, 1 + regions, H, W)."""
        ...


class PixelEmbedder(Protocol):
    """The part of a network that gives every pixel a vector, alike within an object."""

    def embed(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) float32 in [0, 1] -> (B, E, h, w) float32, with gradients."""
        ...


class ScoredBoxes(TypedDict):
    """The objects of one image before their masks, by falling score."""

    boxes: Tensor  # (N, 4) float32, as in InstanceTargets
    classes: Tensor  # (N,) int64 thing class
    scores: Tensor  # (N,) float32 in [0, 1]


@runtime_checkable
class ViewSteps(Protocol):
    """An optional part of a segmenter: prediction in steps, so that views are merged in between.

    Without gradients, the mode of the network is left as it is found. Boxes are in px of the images
    that were encoded.
    """

    def encode(self, image: Tensor) -> Any:
        """(B, 3, H, W) float32 in [0, 1] -> what the other steps take of these images."""
        ...

    def boxes(self, features: Any) -> list[ScoredBoxes]:
        """The objects of each image, above the score that the network was built with."""
        ...

    def mask_probabilities(
        self, features: Any, boxes: Sequence[Tensor], classes: Sequence[Tensor]
    ) -> list[Tensor]:
        """Per image (N, 4) boxes of (N,) thing classes -> (N, M, M) float32, over each box."""
        ...

    def semantic_logits(self, features: Any) -> Tensor:
        """(B, 1 + regions, H, W) float32 at the size of the images."""
        ...


class SemanticThreshold(nn.Module, ABC):
    """Which pixels of a semantic map count; what it remembers is a buffer.

    Called once per training batch, in the order of the batches.
    """

    @abstractmethod
    def forward(self, probabilities: Tensor) -> Tensor:
        """(B, C, H, W) float32, sums to 1 over C -> (B, H, W) int64, a class or -1 = ignored."""
        ...


@dataclass(frozen=True)
class TrainingMoment:
    """The moment of a training, as losses and augmentations may know it.

    Attributes:
        step: Optimizer steps done so far.
        predict: The running network on images (B, 3, H, W) float32 in [0, 1].
        classes: Of the training; `None` where all things share a region.
        total: Optimizer steps of the whole training; `None` where nobody said.
        teacher: The moving average of the network, where the training has one.
    """

    step: int
    predict: Callable[[Tensor], SegmenterPrediction]
    classes: DetectorClasses | None = None
    total: int | None = None
    teacher: nn.Module | None = None


class Augmentation(ABC):
    """One transformation of a batch on its device; images are float32 in [0, 1].

    Random numbers come from torch's global generators, which the training sets at every step.
    """

    @abstractmethod
    def __call__(self, batch: TrainingBatch, moment: TrainingMoment) -> TrainingBatch:
        """The transformed batch; the one given stays as it is."""
        ...
