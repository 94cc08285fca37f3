"""The tokens under the head of CAUSE-TR: what a head of one's own learns from."""

from __future__ import annotations

from torch import Tensor

from relief.models.backbones.cause_tr import CauseTR


class CauseTokens(CauseTR):
    """The body of a CAUSE-TR file; its head and codebook are not looked at. See `CauseTR`."""

    def setup(self) -> None:
        """Reads `weights` once; raises `WeightsError` as `CauseTR.setup`."""
        super().setup()
        assert self.body is not None
        self.dim = self.body.width

    def one_sided(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, dim, H / patch, W / patch), of the body."""
        size = (image.shape[-2] // self.patch_px, image.shape[-1] // self.patch_px)
        return self.tokens(image)[:, 1:].transpose(1, 2).unflatten(2, size)
