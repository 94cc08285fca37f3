"""Object numbers carried from frame to frame of a video, by how much masks overlap."""

from __future__ import annotations

import torch
from torch import Tensor

from relief.ops.panoptic import joint_counts


class CarriedIds:
    """Gives an object the number it had in the frame before.

    Objects of one category that overlap most go first; each number is given once. An object that
    nothing overlaps enough gets a number that was never used. One that is not seen for some frames
    keeps its place and number so long.

    Args:
        min_iou: Least intersection over union with where the object was last seen.
        patience: For how many frames an object that is not seen is remembered.
    """

    def __init__(self, min_iou: float = 0.3, patience: int = 5) -> None:
        self.min_iou, self.patience = min_iou, patience
        self._seen: Tensor | None = None  # (H, W) numbers where objects were last seen
        self._category: dict[int, int] = {}
        self._unseen: dict[int, int] = {}  # for how many frames
        self._last = 0

    def __call__(self, panoptic: Tensor) -> Tensor:
        """Renumbers the objects of the next frame.

        Args:
            panoptic: (H, W, 2) int64 (category, instance); a frame of another size than the one
                before begins anew, with numbers that were never used.

        Returns:
            (H, W, 2) int64, the same objects under the numbers they keep.
        """
        category, instance = panoptic.unbind(-1)
        if self._seen is None or self._seen.shape != instance.shape:
            self._seen = torch.zeros_like(instance)
            self._category, self._unseen = {}, {}
        objects = _categories(category, instance)
        number_of = self._matched(instance, objects)
        for one in objects:
            if one not in number_of:
                self._last += 1
                number_of[one] = self._last
        lookup = torch.zeros(int(instance.max()) + 1, dtype=torch.int64, device=instance.device)
        for one, number in number_of.items():
            lookup[one] = number
        carried = lookup[instance]
        self._remember(carried, {number_of[one]: objects[one] for one in objects})
        return torch.stack((category, carried), dim=-1)

    def _matched(self, instance: Tensor, objects: dict[int, int]) -> dict[int, int]:
        """Numbers by object of this frame, of those that overlap where one was last seen."""
        assert self._seen is not None
        before = self._seen.unique()
        rank = torch.searchsorted(before, self._seen)
        joint = joint_counts(instance, rank, int(instance.max()) + 1, len(before)).cpu()
        union = joint.sum(dim=1)[:, None] + joint.sum(dim=0)[None] - joint
        iou = joint / union.clamp(min=1)
        numbers = before.tolist()
        pairs = [
            (-float(iou[one, column]), one, numbers[column])
            for one, column in (iou >= self.min_iou).nonzero().tolist()
            if one in objects and self._category.get(numbers[column]) == objects[one]
        ]
        found: dict[int, int] = {}
        for _, one, number in sorted(pairs):
            if one not in found and number not in found.values():
                found[one] = number
        return found

    def _remember(self, carried: Tensor, categories: dict[int, int]) -> None:
        assert self._seen is not None
        unseen = {n: frames + 1 for n, frames in self._unseen.items() if n not in categories}
        kept = [number for number, frames in unseen.items() if frames <= self.patience]
        self._unseen = dict.fromkeys(categories, 0) | {number: unseen[number] for number in kept}
        self._category = {n: c for n, c in self._category.items() if n in kept} | categories
        stays = torch.isin(self._seen, torch.tensor(kept, device=carried.device))
        self._seen = torch.where(carried > 0, carried, torch.where(stays, self._seen, 0))


def _categories(category: Tensor, instance: Tensor) -> dict[int, int]:
    """The category of each object, by its number in the frame."""
    pairs = torch.stack((instance, category), dim=-1)[instance > 0].unique(dim=0)
    return {number: of for number, of in pairs.tolist()}
