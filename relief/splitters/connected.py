"""Instances as connected components."""

from __future__ import annotations

from relief.ops.reclaim import partition
from relief.schema.observation import Observation, Split
from relief.schema.parts import Splitter
from relief.splitters.thing_regions import instances_of, thing_regions


class ConnectedSplitter(Splitter):
    """Every 4-connected region of a thing category is an instance, if it is large enough.

    Args:
        min_area_px: Regions below this many pixels are no instances; pixels where splitting runs.
    """

    def __init__(self, min_area_px: int) -> None:
        self.min_area_px = min_area_px

    def split(self, observation: Observation) -> Split:
        """Splits the regions of the things into instances by falling area."""
        return instances_of(
            observation,
            [
                partition(regions, least_area_px=self.min_area_px).instances(self.min_area_px)
                for regions in thing_regions(observation.semantic, observation.things)
            ],
        )
