"""Blur, colour and gray: what changes the look of an image and nothing of its labels."""

from __future__ import annotations

import kornia.augmentation as K

from relief.schema.training import Augmentation, TrainingBatch, TrainingMoment


class Photometric(Augmentation):
    """Gaussian blur, colour jitter and gray, drawn for each image alone.

    Args:
        blur_sigma_px: Range of the blur's standard deviation.
        blur_kernel_px: Side of its kernel, odd.
        blur_probability: Of blurring.
        jitter: Strength of brightness, contrast, saturation and hue.
        jitter_probability: Of colour jitter.
        gray_probability: Of losing all colour.
    """

    def __init__(
        self,
        blur_sigma_px: tuple[float, float] = (0.1, 2.0),
        blur_kernel_px: int = 7,
        blur_probability: float = 1.0,
        jitter: tuple[float, float, float, float] = (0.4, 0.4, 0.4, 0.1),
        jitter_probability: float = 0.5,
        gray_probability: float = 0.2,
    ) -> None:
        kernel = (blur_kernel_px, blur_kernel_px)
        self.transform = K.ImageSequential(
            K.RandomGaussianBlur(kernel, blur_sigma_px, p=blur_probability),
            K.ColorJitter(*jitter, p=jitter_probability),
            K.RandomGrayscale(p=gray_probability),
        )

    def __call__(self, batch: TrainingBatch, moment: TrainingMoment) -> TrainingBatch:
        """The batch with other images, in [0, 1]; the labels are the ones given."""
        del moment
        return {**batch, "image": self.transform(batch["image"]).clamp(0.0, 1.0)}
