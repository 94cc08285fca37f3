"""Sure where the mirror image gets the same labels."""

from __future__ import annotations

from torch import Tensor

from relief.models.confidence.cut_agreement import agreement
from relief.models.confidence.evidence import Confidence, Evidence


class MirrorAgreement(Confidence):
    """Labels the mirror image too: IoU of objects, same category or not elsewhere.

    Networks run twice. Features that are averaged over the mirror image themselves, as those of
    CAUSE-TR, give the same categories by construction.
    """

    def of(self, evidence: Evidence) -> Tensor:
        """Looks at the mirror image and cuts it."""
        mirrored = evidence.mirrored()
        instance = evidence.cut(mirrored)[0].flip(-1)
        return agreement(evidence, mirrored.semantic[0].flip(-1), instance)
