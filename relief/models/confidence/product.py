"""Several kinds of evidence as one number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from relief.models.confidence.evidence import Confidence, Evidence
from relief.schema.errors import UsageError


class Product(Confidence):
    """The product of several parts: sure where all of them are.

    Args:
        parts: Whose numbers are multiplied.

    Raises:
        UsageError: There is none.
    """

    def __init__(self, parts: Sequence[Confidence]) -> None:
        if not parts:
            msg = "no part says how sure labels are: parts is empty. Name one."
            raise UsageError(msg)
        self.parts = list(parts)
        self.needs = frozenset[str]().union(*(part.needs for part in self.parts))

    @property
    def name(self) -> str:
        """The class paths of the parts, for manifests."""
        return " x ".join(part.name for part in self.parts)

    def setup(self, dim: int) -> None:
        """Sets up all parts; raises `WeightsError`."""
        for part in self.parts:
            part.setup(dim)

    @property
    def sources(self) -> Mapping[str, str]:
        """Files of all parts; of several of one kind numbered by their place."""
        found: dict[str, str] = {}
        for number, part in enumerate(self.parts, start=1):
            for name, sha256 in part.sources.items():
                found[f"{number}/{name}" if name in found else name] = sha256
        return found

    def of(self, evidence: Evidence) -> Tensor:
        """Multiplies."""
        return torch.stack([part.of(evidence) for part in self.parts]).prod(dim=0)
