"""As sure as the splitter is."""

from __future__ import annotations

from torch import Tensor

from relief.models.confidence.evidence import Confidence, Evidence
from relief.schema.errors import UsageError


class SplitterSays(Confidence):
    """Hands on what the splitter says of itself, such as lifetimes in the tree of all thresholds.

    `relief.splitters.stability.StabilitySplitter` and `KnnLinkageSplitter` with `confidence_cuts`
    say something.
    """

    def of(self, evidence: Evidence) -> Tensor:
        """Takes the splitter's confidence.

        Raises:
            UsageError: The splitter says nothing.
        """
        if evidence.split.confidence is None:
            msg = (
                "the splitter does not say how sure it is: SplitterSays. Leave it out, or take "
                "relief.splitters.stability.StabilitySplitter."
            )
            raise UsageError(msg)
        return evidence.split.confidence[0].float()
