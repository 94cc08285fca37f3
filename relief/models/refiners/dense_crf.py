"""A fully connected CRF that draws label borders to the image's edges (optional library)."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relief.schema.errors import UsageError

_CLIP = 1e-5  # least probability, so that its logarithm is finite


class DenseCRF:
    """Mean-field inference with a Gaussian and a bilateral kernel.

    Source: Krahenbuhl and Koltun, "Efficient inference in fully connected CRFs", 2011, through
    `pydensecrf2`; the defaults are those of the published labels. Runs on the CPU. Use it where
    images are small, as after the resize to 322 px: time grows with pixels times labels.

    Args:
        iterations: Mean-field steps.
        gaussian_sxy_px: Width of the kernel on positions alone.
        gaussian_weight: Cost it puts on differing neighbours.
        bilateral_sxy_px: Width in positions of the kernel on positions and colours.
        bilateral_srgb: Width in colours, 8-bit levels.
        bilateral_weight: Cost it puts on differing neighbours of like colour.
    """

    def __init__(
        self,
        iterations: int = 10,
        gaussian_sxy_px: float = 1.0,
        gaussian_weight: float = 3.0,
        bilateral_sxy_px: float = 67.0,
        bilateral_srgb: float = 3.0,
        bilateral_weight: float = 4.0,
    ) -> None:
        self.iterations = iterations
        self.gaussian_sxy_px = gaussian_sxy_px
        self.gaussian_weight = gaussian_weight
        self.bilateral_sxy_px = bilateral_sxy_px
        self.bilateral_srgb = bilateral_srgb
        self.bilateral_weight = bilateral_weight
        self._library: Any = None

    def setup(self) -> None:
        """Finds the library.

        Raises:
            UsageError: It is not installed.
        """
        try:
            self._library = importlib.import_module("pydensecrf.densecrf")
        except ImportError as error:
            msg = (
                "pydensecrf2 is not installed: dense CRF. "
                "Install requirements-crf.txt (docs/reproduce.md), or use no refiner."
            )
            raise UsageError(msg) from error

    def refine(self, probabilities: Tensor, image: Tensor) -> Tensor:
        """Refines the probabilities of one image.

        Args:
            probabilities: (K, h, w) float32, sums over K are 1.
            image: (3, h, w) float32 in [0, 1], RGB.

        Returns:
            (K, h, w) float32 on the device of `probabilities`.
        """
        if self._library is None:
            self.setup()
        labels, height, width = probabilities.shape
        unary = -probabilities.clamp(_CLIP, 1.0).log().reshape(labels, -1)
        levels = (image * 255).round().to(torch.uint8).flip(0)  # BGR, as published
        crf = self._library.DenseCRF2D(width, height, labels)
        crf.setUnaryEnergy(np.ascontiguousarray(unary.float().cpu().numpy()))
        crf.addPairwiseGaussian(sxy=self.gaussian_sxy_px, compat=self.gaussian_weight)
        crf.addPairwiseBilateral(
            sxy=self.bilateral_sxy_px,
            srgb=self.bilateral_srgb,
            rgbim=np.ascontiguousarray(levels.permute(1, 2, 0).cpu().numpy()),
            compat=self.bilateral_weight,
        )
        refined = np.array(crf.inference(self.iterations), dtype=np.float32)
        return torch.from_numpy(refined.reshape(labels, height, width)).to(probabilities.device)
