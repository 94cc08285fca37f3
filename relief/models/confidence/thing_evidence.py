"""Sure where all that a pixel is like is of the kind that the labels say: thing or stuff."""

from __future__ import annotations

import torch
from torch import Tensor

from relief.models.codebooks.codebook import Codebook
from relief.models.confidence.evidence import Confidence, Evidence
from relief.schema.observation import FEATURES
from relief.schema.ranges import check_at_least


class ThingEvidence(Confidence):
    """How likely a pixel is a thing where the labels say thing, or stuff where they say stuff.

    A softmax over the cosines weighs how likely each category is a thing: the shares that the
    thing rule kept in the codebook, or 0 and 1 where it kept none. Objects get the mean over their
    pixels: what is a piece of a wall is like many things of the wall.

    Args:
        sharpness: What cosines are multiplied by before the softmax.

    Raises:
        UsageError: It is negative.
    """

    needs = frozenset({FEATURES})

    def __init__(self, sharpness: float = 10.0) -> None:
        check_at_least(0, sharpness=sharpness)
        self.sharpness = sharpness

    def of(self, evidence: Evidence) -> Tensor:
        """Sums the shares on the features' grid; objects get their mean."""
        weights = (self.sharpness * evidence.similarities()).softmax(dim=0)
        shares = thing_shares(evidence.codebook).to(weights)
        likely = evidence.enlarged(torch.einsum("k,khw->hw", shares, weights).clamp(0, 1))
        own_kind = torch.where(evidence.is_thing, likely, 1 - likely)
        return evidence.over_objects(own_kind)


def thing_shares(codebook: Codebook) -> Tensor:
    """Returns how likely each category is a thing, (num_categories,) float32 in [0, 1].

    Those that `relief.models.codebooks.thing_rule.ThingRule` kept, where they are of these
    categories; else what the codebook decided, 0 or 1.
    """
    kept = codebook.metadata.get("things", {}).get("thing_shares", ())
    decided = codebook.thing_categories
    if codebook.num_classes or len(kept) != len(decided):
        return decided.float()
    return torch.tensor(kept, dtype=torch.float32, device=decided.device)
