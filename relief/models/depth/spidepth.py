"""SPIdepth: self-supervised metric depth of street scenes, as published for Cityscapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self, TypeVar

import torch
from torch import Tensor, nn

from relief.models.backbones.provenance import Provenance
from relief.models.depth.feature_unet import FeatureUNet
from relief.models.depth.query_depth_decoder import QueryDepthDecoder
from relief.models.depth.refused_images import refusal
from relief.models.weights.files import fill, load_state_dict, sha256_of
from relief.ops.lanczos import resize_lanczos
from relief.ops.relative_depth import relative_at
from relief.schema.errors import UsageError, WeightsError

Network = TypeVar("Network", bound=nn.Module)
EXTRA_NAMES = ("height", "width", "use_stereo")  # of training, stored beside the weights


class SPIdepth(nn.Module):
    """Images to depth.

    Args:
        encoder: `encoder.pth` or its conversion; read in `setup`, not before.
        decoder: `depth.pth` or its conversion.
        input_size: (height, width) at which the network sees an image in `relative_depth`; images
            are brought there by Lanczos resampling. `None` takes them as they are.
        patch_size: Side of the decoder's tokens in feature pixels, that is half as many pixels of
            the input.
        num_heads: Attention heads of the decoder.
        min_depth_m: Near end of the depth bins.
        max_depth_m: Far end of the depth bins.
        supervision: Labels that the weights depended on, for the manifest.
    """

    def __init__(
        self,
        encoder: str | Path | None = None,
        decoder: str | Path | None = None,
        input_size: tuple[int, int] | None = (320, 1024),
        patch_size: int = 32,
        num_heads: int = 4,
        min_depth_m: float = 0.01,
        max_depth_m: float = 80.0,
        supervision: str = "the body of the depth network was pre-trained with ImageNet labels",
    ) -> None:
        super().__init__()
        self.paths = {"encoder": encoder, "decoder": decoder}
        self.input_size = input_size
        self.patch_size = patch_size
        self.num_heads = num_heads
        self.min_depth_m = min_depth_m
        self.max_depth_m = max_depth_m
        self.supervision = supervision
        self._hashes: dict[str, str] = {}
        self.unet: FeatureUNet | None = None
        self.decoder: QueryDepthDecoder | None = None

    @classmethod
    def from_state_dicts(
        cls,
        encoder: Mapping[str, Tensor],
        depth: Mapping[str, Tensor],
        patch_size: int = 32,
        num_heads: int = 4,
        min_depth_m: float = 0.01,
        max_depth_m: float = 80.0,
        input_size: tuple[int, int] | None = None,
    ) -> Self:
        """A network from tensors with the published names; all other sizes are theirs.

        Args:
            encoder: Body and U-Net.
            depth: Decoder.
            patch_size: As for the class; must be that of the tensors.
            num_heads: As for the class.
            min_depth_m: As for the class.
            max_depth_m: As for the class.
            input_size: As for the class; by default images are taken as they are.

        Raises:
            WeightsError: Names or shapes are not those of one such network.
        """
        model = cls(
            input_size=input_size,
            patch_size=patch_size,
            num_heads=num_heads,
            min_depth_m=min_depth_m,
            max_depth_m=max_depth_m,
        )
        model._fill(encoder, depth, ("encoder", "depth"))
        return model

    def setup(self) -> None:
        """Loads the weights once.

        Raises:
            WeightsError: A file is not given, missing, damaged, of another shape, or holds code.
            UsageError: `input_size` gives the decoder too few or too many tokens.
        """
        if self.unet is not None:
            return
        encoder, decoder = self.paths.values()
        if not encoder or not decoder:
            msg = (
                "no depth weights given: SPIdepth. Set encoder and decoder, the files encoder.pth "
                "and depth.pth of Hugging Face MykolaL/SPIdepth (folder cityscapes)."
            )
            raise WeightsError(msg)
        self._fill(load_state_dict(encoder), load_state_dict(decoder), (str(encoder), str(decoder)))
        self._hashes = {role: sha256_of(str(path)) for role, path in self.paths.items()}

    @property
    def provenance(self) -> Provenance:
        """Hashes of the files, known after `setup`, and what they learned from."""
        supervision = (self.supervision,) if self.supervision else ()
        return {"weights": self._hashes, "supervision": supervision, "notes": ()}

    @property
    def description(self) -> dict[str, object]:
        """Describes the origin of the depth, for a manifest; without paths."""
        return {
            "part": f"{type(self).__module__}.{type(self).__qualname__}",
            "input_size": self.input_size,
            "patch_size": self.patch_size,
            "num_heads": self.num_heads,
            "min_depth_m": self.min_depth_m,
            "max_depth_m": self.max_depth_m,
            "conversion": "minmax(flip average)",
            **self.provenance,
        }

    def forward(self, image: Tensor) -> Tensor:
        """Depth of images as they are, without flip averaging.

        Args:
            image: (B, 3, H, W) float32 in [0, 1]; no mean and deviation are taken off, as
                published.

        Returns:
            (B, 1, h, w) float32 metres; h and w are half of H and W where 4 divides these.

        Raises:
            ValueError: The image is too small or too large for the decoder.
        """
        if self.unet is None or self.decoder is None:
            raise RuntimeError("Expected the weights to be loaded. Call `setup()` first.")
        return self.decoder(self.unet(image))

    def flip_averaged(self, image: Tensor) -> Tensor:
        """The mean of the depth of an image and of its mirror image; shapes as `forward`."""
        return (self(image) + self(image.flip(-1)).flip(-1)) / 2

    @torch.no_grad()
    def relative_depth(self, image: Tensor, size: tuple[int, int]) -> Tensor:
        """Depth as the published maps: Lanczos, flip average, bilinear, min-max per image.

        The published tree was made with `size` (512, 1024).

        Args:
            image: (B, 3, H, W) float32 in [0, 1], any size when `input_size` is set.
            size: (height, width) of the result.

        Returns:
            (B, 1, *size) float32 in [0, 1], 0 near, 1 far.

        Raises:
            ReadError: Without `input_size`: the image is too small or too large for the decoder.
        """
        if self.input_size is not None:
            image = resize_lanczos(image, self.input_size)
        elif self.decoder is not None:
            wrong = _wrong_tokens(self.decoder, (image.shape[-2], image.shape[-1]))
            if wrong is not None:
                raise refusal(image, wrong)
        return relative_at(self.flip_averaged(image), size)

    def _fill(
        self,
        encoder: Mapping[str, Tensor],
        depth: Mapping[str, Tensor],
        sources: tuple[str, str],
    ) -> None:
        unet = _network(FeatureUNet.like, encoder, sources[0])
        decoder = _network(self._decoder_like, depth, sources[1])
        stored = decoder.embedding_convPxP.kernel_size[0]
        if stored != self.patch_size:
            msg = (
                f"cannot load weights: {sources[1]} (patch of {stored}, expected "
                f"{self.patch_size}). Set patch_size {stored}."
            )
            raise WeightsError(msg)
        if self.input_size is not None:
            wrong = _wrong_tokens(decoder, self.input_size)
            if wrong is not None:
                msg = (
                    f"SPIdepth cannot see images at this size: input_size "
                    f"{list(self.input_size)} ({wrong}). Set input_size [320, 1024], as published."
                )
                raise UsageError(msg)
        self.unet, self.decoder = unet, decoder
        self.eval().requires_grad_(False)

    def _decoder_like(self, state_dict: Mapping[str, Tensor]) -> QueryDepthDecoder:
        return QueryDepthDecoder.like(
            state_dict,
            num_heads=self.num_heads,
            min_depth_m=self.min_depth_m,
            max_depth_m=self.max_depth_m,
        )


def _wrong_tokens(decoder: QueryDepthDecoder, size: tuple[int, int]) -> str | None:
    """Explains why an image (height, width) has a wrong number of tokens; `None` where it fits."""
    height, width = (side // 4 * 2 for side in size)  # the body takes 4 px at a time
    return decoder.wrong_tokens(height, width)


def _network(
    like: Callable[[Mapping[str, Tensor]], Network], state_dict: Mapping[str, Tensor], source: str
) -> Network:
    tensors = {
        name: value.float() if value.is_floating_point() else value
        for name, value in state_dict.items()
        if isinstance(value, Tensor)
    }
    try:
        with torch.device("meta"):  # no second copy, and no time for values that are replaced
            network = like(tensors)
    except (KeyError, IndexError, ValueError, AssertionError) as error:
        msg = (
            f"cannot load weights: {source} (not SPIdepth's: {str(error).splitlines()[0]}). "
            "Give encoder.pth and depth.pth."
        )
        raise WeightsError(msg) from error
    fill(network, tensors, source=source, ignored=EXTRA_NAMES, assign=True)
    return network
