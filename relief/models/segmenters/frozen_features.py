"""Features of a labelling backbone, for networks that look through it while they learn."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from relief.schema.parts import Backbone


class FrozenFeatures:
    """A backbone of `label.py` that stays as it is, without gradients.

    No module, so that a network that holds it neither saves, averages nor trains it; its weights
    are read from their own file again (`held_by`).

    Args:
        network: Any backbone of `label.py`; one that knows its channels only with its weights reads
            them here.
        magnification: It sees the image so many times as large; a number and not a size, so that
            a crop is seen at the scale of the whole.

    Raises:
        WeightsError: They cannot be read.
    """

    def __init__(self, network: nn.Module, magnification: float = 1.0) -> None:
        if not cast(Backbone, network).dim:
            cast(Backbone, network).setup()
        self.network, self.magnification = network.eval(), magnification

    @property
    def backbone(self) -> Backbone:
        """The network in the words of `label.py`."""
        return cast(Backbone, self.network)

    def held_by(self, network: nn.Module) -> FrozenFeatures:
        """Reads the weights whenever those of a network, whose `frozen` this is, are loaded."""
        network.register_load_state_dict_post_hook(_read_features)
        return self

    @torch.no_grad()
    def __call__(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) float32 in [0, 1], or slightly outside -> (B, dim, h, w)."""
        tensors = (*self.network.parameters(), *self.network.buffers())
        if any(tensor.device != image.device for tensor in tensors):
            self.network.to(image.device)
        patch_px = self.backbone.patch_px
        rows, columns = (
            max(1, round(side * self.magnification / patch_px)) for side in image.shape[-2:]
        )
        resized = F.interpolate(
            image,
            size=(rows * patch_px, columns * patch_px),
            mode="bilinear",
            align_corners=False,
            antialias=rows * patch_px < image.shape[-2],  # enlarged, it changes nothing
        )
        return self.backbone(resized.clamp(0.0, 1.0))


def _read_features(network: nn.Module, _: object) -> None:
    """Trained weights do not hold the features, so theirs are read beside them."""
    cast(FrozenFeatures, network.frozen).backbone.setup()
