"""The branches of a split tree that live longest: objects without a level to choose.

A branch is a part from the level at which it parts from a large neighbour down to the level at
which it falls into large parts itself, or is gone. Levels are taken by their logarithm, so that
depth of another scale gives the same branches. The excess of mass of a branch is what it holds
times how long it holds it (Mueller and Sawitzki, "Excess mass estimates and tests for
multimodality", 1991; Campello, Moulavi and Sander, "Density-based clustering based on hierarchical
density estimates", 2013).
"""

from __future__ import annotations

from dataclasses import dataclass

import higra
import numpy as np
from numpy.typing import NDArray

from relief.ops.splitting.split_tree import SplitTree

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Branches:
    """Branches of a split tree.

    Attributes:
        top: (P,) the node of each, rising: its part just before it joins a large neighbour.
        parent: (P,) index of the branch that it falls out of, -1 = none.
        area_px: (P,) pixels of the top.
        lowest: (P,) logarithm of the level below which it is gone or falls apart.
        until: (P,) that of the level at which it joins.
        mass: (P,) excess of mass: pixels times logarithms of levels.
    """

    top: Ints
    parent: Ints
    area_px: Ints
    lowest: Floats
    until: Floats
    mass: Floats

    @classmethod
    def of(cls, tree: SplitTree, min_area_px: int, floor: float) -> Branches:
        """Finds the branches.

        Args:
            tree: Of one image.
            min_area_px: Smaller parts are no branch and part no other.
            floor: Levels far below it are alike: it is added before the logarithm.
        """
        real = np.isfinite(tree.level)
        large = real & (tree.area_px >= max(min_area_px, 1))
        last = len(tree.parent) - 1
        children = np.bincount(tree.parent[:last], weights=large[:last], minlength=last + 1)
        is_top = large & ((children[tree.parent] == 2) | ~real[tree.parent])
        is_top[last:] = large[last:]
        highest = tree.level[real].max(initial=0.0)
        begins = np.log(np.where(real, tree.level, highest) + floor)
        until = np.log(np.where(np.isfinite(tree.until), tree.until, highest) + floor)
        top = np.flatnonzero(is_top)
        if not len(top):
            none = np.zeros(0)
            return cls(top, top, tree.area_px[top], none, none, none)
        number = np.cumsum(is_top) - 1
        above = np.where(is_top, number, -1).astype(np.float64)
        inherits = ~is_top
        inherits[-1] = False
        of_node = higra.propagate_sequential(tree.higra, above, inherits).astype(np.int64)
        members = np.flatnonzero(large)
        branch = of_node[members]
        held = tree.area_px[members] * (until - begins)[members]
        mass = np.asarray(np.bincount(branch, held, minlength=len(top)), np.float64)
        lowest = np.full(len(top), np.inf)
        np.minimum.at(lowest, branch, begins[members])
        parent = np.where(tree.parent[top] == top, -1, of_node[tree.parent[top]])
        return cls(top, parent, tree.area_px[top], lowest, until[top], mass)

    def most_stable(self, share: float = 0.5) -> Ints:
        """Chooses branches of which none lies in another, of the greatest weight in all.

        Args:
            share: Power of the area in the weight: 1 is the excess of mass itself, by which few
                large parts win; at 0 many small ones do.

        Returns:
            Their indices, rising.
        """
        weight = self.mass * self.area_px.astype(np.float64) ** (share - 1)
        below, wins = np.zeros(len(weight)), np.zeros(len(weight), np.bool_)
        for index, parent in enumerate(self.parent):  # children come first
            wins[index] = weight[index] >= below[index]
            if parent >= 0:
                below[parent] += max(weight[index], below[index])
        taken = np.zeros(len(weight), np.bool_)
        for index in range(len(weight) - 1, -1, -1):
            parent = self.parent[index]
            if parent >= 0 and (taken[parent] or wins[parent]):
                taken[index] = True
        return np.flatnonzero(wins & ~taken)
