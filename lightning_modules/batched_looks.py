"""Shows several images of a batch to networks in one call; each is then labelled by itself."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch
from torch import Tensor

from relief.models.labelling.observer import Observer, Seen
from relief.schema.errors import reason_of
from relief.schema.ranges import check_at_least

log = logging.getLogger("relief")


class BatchedLooks:
    """Keeps what networks saw of the images of the current batch, until each is asked for.

    Args:
        images_per_call: At most so many images are looked at in one call; `None`: each by itself.

    Raises:
        UsageError: It is below 1.
    """

    def __init__(self, images_per_call: int | None) -> None:
        check_at_least(1, images_per_call=images_per_call)
        self.images_per_call = images_per_call or 1
        self._seen: dict[str, Seen | None] = {}
        self._images: dict[str, Tensor] = {}

    def begin(self, keys: Sequence[str], images: Tensor) -> None:
        """Takes a batch; nothing is looked at yet.

        Args:
            keys: Of the images.
            images: (B, 3, H, W) float32 in [0, 1].
        """
        self._seen = {}
        self._images = dict(zip(keys, images, strict=True)) if self.images_per_call > 1 else {}

    def take(self, key: str, observer: Observer) -> Seen | None:
        """Returns what was seen of an image, once; with it the next ones are looked at.

        A call that fails, for want of memory or for one image of it, is told; its images are looked
        at one by one then.

        Args:
            key: The image.
            observer: Looks.
        """
        if key in self._images and key not in self._seen:
            keys = list(self._images)
            first = keys.index(key)
            together = keys[first : first + self.images_per_call]
            self._seen |= dict(zip(together, self._look(together, observer), strict=True))
        self._images.pop(key, None)
        return self._seen.pop(key, None)

    def _look(self, keys: Sequence[str], observer: Observer) -> Sequence[Seen | None]:
        images = torch.stack([self._images[key] for key in keys])
        try:
            return observer.look(images)
        except Exception as error:
            log.warning("%d images at once: %s", len(keys), reason_of(error, keys[0]))
            return [None] * len(keys)
