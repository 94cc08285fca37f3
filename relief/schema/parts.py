"""The seams: what a part must offer to be named in a YAML file. Any object that fits will do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol, runtime_checkable

from torch import Tensor

from relief.schema.observation import Observation, Split


@runtime_checkable
class Backbone(Protocol):
    """Images to features. Every backbone is an `nn.Module`; weights load in `setup()`."""

    patch_px: int
    dim: int

    def setup(self) -> None:
        """Loads the weights; called once before the first image, again without effect.

        Raises:
            WeightsError: A file is missing, damaged, of another shape, or holds code.
        """

    def __call__(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) float32 in [0, 1], H and W multiples of `patch_px` -> (B, dim, h, w)."""
        ...


@runtime_checkable
class DepthModel(Protocol):
    """Images to relative depth. Every depth model is an `nn.Module`; weights load in `setup()`."""

    def setup(self) -> None:
        """Loads the weights, as `Backbone.setup`."""

    def relative_depth(self, image: Tensor, size: tuple[int, int]) -> Tensor:
        """(B, 3, H, W) float32 in [0, 1] -> (B, 1, *size) float32 in [0, 1], 0 near, 1 far.

        Raises:
            ReadError: It cannot take images of this size; others can be labelled.
        """
        ...


class Splitter(ABC):
    """Thing regions to instances.

    A base class, not a protocol: the configuration parser takes protocols with `__call__` for
    functions.

    Attributes:
        needs: The fields of `Observation` that it looks at beside `semantic` and `things`:
            `depth`, `features`, `image`. What is missing is refused before any work.
        gives_confidence: Whether its `Split` says how sure it is.
    """

    needs: frozenset[str] = frozenset()
    gives_confidence: bool = False

    @property
    def confidence_name(self) -> str | None:
        """The class path, where the splitter says how sure it is; for manifests."""
        kind = type(self)
        return f"{kind.__module__}.{kind.__qualname__}" if self.gives_confidence else None

    @abstractmethod
    def split(self, observation: Observation) -> Split:
        """Splits the regions of the things.

        Args:
            observation: Of B images; has what `needs` names.

        Returns:
            Instances (B, h, w): 0 = none, 1..N within each image; and how sure they are, where
            the splitter knows.

        Raises:
            ValueError: Something that it needs is missing.
        """
        ...


@runtime_checkable
class KMeansFitter(Protocol):
    """Features to centroids."""

    k: int

    def fit(self, features: Tensor) -> Tensor:
        """(N, C) float32 -> raw mean centroids (k', C) float32, k' <= k."""
        ...


@runtime_checkable
class DepthReader(Protocol):
    """Precomputed depth by key, as a DataModule reads it."""

    def find(self, split: str, key: str) -> str | None:
        """The path of the depth file of an image, or `None`."""
        ...

    def read(self, path: str) -> Tensor:
        """(1, h, w) float32 in [0, 1], 0 near, 1 far.

        Raises:
            ReadError: NaN, infinite or out of range values, another shape, unreadable.
        """
        ...
