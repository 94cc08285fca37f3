"""CAUSE-TR on DINOv2: the features of the published pipeline, and of the sample's small network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import save
from torch import Tensor, nn

from relief.formats.files.atomic import write_bytes
from relief.models.backbones.cause_weights import ABOUT_KEY, about_of, random_like, split_state_dict
from relief.models.backbones.dinov2_body import DINOv2Body, needed
from relief.models.backbones.provenance import Provenance
from relief.models.heads.cause_head import MEAN, STUDENT, CauseHead
from relief.models.weights.files import ARRAY_KEY, load_state_dict, sha256_of
from relief.models.weights.sources import CAUSE_HEADS
from relief.processes.recipes import shipped_file
from relief.schema.errors import WeightsError

IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)


class CauseTR(nn.Module):
    """A DINOv2 body and the CAUSE-TR head, averaged over the image and its mirror image.

    Args:
        weights: A `.safetensors` file that `save` wrote; read in `setup`, shapes from its tensors.
        num_heads: Attention heads of the body; `None`: one per 64 channels. The head has one.
        random_seed: Keeps the shapes of `weights` and draws all values at random instead: the
            network before it learned anything, for comparison.
        mirrored: Average over the mirror image, as published; without it half the time is enough.

    Attributes:
        patch_px: 14.
        dim: Channels of the features, 90 as published.
    """

    patch_px = 14
    dim = 90

    def __init__(
        self,
        weights: str | None = None,
        num_heads: int | None = None,
        random_seed: int | None = None,
        mirrored: bool = True,
    ) -> None:
        super().__init__()
        self.weights = weights and shipped_file(weights)
        self.mirrored = mirrored
        self.num_heads = num_heads
        self.random_seed = random_seed
        self.body: DINOv2Body | None = None
        self.head: CauseHead | None = None
        self._provenance: Provenance = {"weights": {}, "supervision": (), "notes": ()}
        self.register_buffer("mean", torch.tensor(IMAGE_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGE_STD).view(1, 3, 1, 1), persistent=False)
        self.mean: Tensor
        self.std: Tensor

    @classmethod
    def from_state_dicts(
        cls,
        backbone: Mapping[str, Tensor],
        segment: Mapping[str, Tensor],
        codebook: Tensor,
        num_heads: int | None = 12,
    ) -> CauseTR:
        """The network of three published state dicts, ready to use.

        Ignored are `mask_token` of the body (pretraining only) and, of the head's file, all but
        the mean head.

        Args:
            backbone: DINOv2 ViT.
            segment: `segment_tr`.
            codebook: (codes, width), `modular`.
            num_heads: Attention heads of the ViT.

        Raises:
            WeightsError: A tensor is missing, unknown, or of another shape.
        """
        network = cls(num_heads=num_heads)
        network.build(backbone, segment, codebook)
        return network

    def setup(self) -> None:
        """Reads `weights` once.

        Raises:
            WeightsError: None given, or the file is missing, damaged, or of another network.
        """
        if self.body is not None:
            return
        if self.weights is None:
            msg = "no weights: CauseTR. Give weights a .safetensors file."
            raise WeightsError(msg)
        tensors = load_state_dict(self.weights)
        if self.random_seed is not None:
            tensors = random_like(tensors, self.random_seed)
        self.build(*split_state_dict(tensors, self.weights), sources=(self.weights,) * 3)
        about = about_of(self.weights)
        self._provenance = {
            "weights": {"features": sha256_of(self.weights)},
            "supervision": tuple(about.get("supervision", ())),
            "notes": tuple(about.get("notes", ())),
        }

    def build(
        self,
        backbone: Mapping[str, Tensor],
        segment: Mapping[str, Tensor],
        codebook: Tensor,
        sources: tuple[str, str, str] = ("backbone", "segment", "codebook"),
        head_prefix: str = MEAN,
    ) -> None:
        """Makes body and head from state dicts, in evaluation mode, where the module lives.

        Args:
            backbone: As `from_state_dicts`.
            segment: As `from_state_dicts`.
            codebook: As `from_state_dicts`.
            sources: The files of the three, of which errors speak.
            head_prefix: See `CauseHead`.

        Raises:
            WeightsError: As `from_state_dicts`.
        """
        body = DINOv2Body(backbone, self.num_heads, sources[0])
        head = CauseHead(segment, codebook, *sources[1:], head_prefix)
        if body.width != head.codebook.shape[1] or body.width != head.query_pos.shape[1]:
            msg = (
                f"cannot load weights: {', '.join(dict.fromkeys(sources))} (body of {body.width} "
                f"channels, head of {head.query_pos.shape[1]}, codebook of "
                f"{head.codebook.shape[1]}). Give files that belong together."
            )
            raise WeightsError(msg)
        self.body, self.head = body.to(self.mean.device), head.to(self.mean.device)
        self.dim, self.patch_px = head.dim, body.patch_px
        self.requires_grad_(False).eval()

    @property
    def provenance(self) -> Provenance:
        """Hash, supervision and notes of the weights; empty before `setup`."""
        return self._provenance

    def tokens(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, 1 + h w, width): the body's, class token first."""
        if self.body is None:
            raise RuntimeError("CauseTR has no weights yet: call setup() first.")
        return self.body((image - self.mean) / self.std)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) float32 in [0, 1] -> (B, dim, H / 14, W / 14) float32."""
        if not self.mirrored:
            return self.one_sided(image)
        both = self.one_sided(torch.cat([image, image.flip(-1)])).float()
        straight, mirrored = both.chunk(2)
        return (straight + mirrored.flip(-1)) / 2

    def one_sided(self, image: Tensor) -> Tensor:
        """`forward` without the mirror image: what learning trains."""
        if self.head is None:
            raise RuntimeError("CauseTR has no weights yet: call setup() first.")
        size = (image.shape[-2] // self.patch_px, image.shape[-1] // self.patch_px)
        return self.head(self.tokens(image)[:, 1:], size)

    def state_dicts(self) -> dict[str, Tensor]:
        """All tensors by the published names, as one safetensors file holds them."""
        if self.body is None or self.head is None:
            raise RuntimeError("CauseTR has no weights yet: call setup() first.")
        tensors = {f"backbone.{n}": t for n, t in self.body.vit.state_dict().items()}
        head = self.head.state_dict()
        codebook = head.pop("codebook")
        tensors |= {f"segment.head_ema.{n}": t for n, t in head.items()}
        return {**tensors, "codebook": codebook}

    def save(self, path: Path | str, about: Mapping[str, object], half: bool = False) -> None:
        """Writes one safetensors file.

        Args:
            path: Where.
            about: What JSON can hold; `supervision` and `notes` reach the manifest.
            half: Stores 16-bit floats.
        """
        dtype = torch.float16 if half else torch.float32
        tensors = {n: t.detach().to(dtype).contiguous() for n, t in self.state_dicts().items()}
        write_bytes(path, save(tensors, metadata={ABOUT_KEY: json.dumps(about, sort_keys=True)}))


class PublishedCauseTR(CauseTR):
    """CAUSE-TR from the three files as published.

    The file of the head holds two. The published pipeline takes the mean head, which its last stage
    tuned with labels; the student that it was averaged from saw labels only in the scale of its
    gradients. Nobody has measured the student's features.

    Args:
        backbone: `dinov2_vitb14_pretrain.pth`.
        segment: `segment_tr.pth`.
        codebook: `modular.npy`.
        num_heads: As `CauseTR`.
        mirrored: As `CauseTR`.
        which: `mean`, as published, or `student`; the manifest has the supervision of either.
    """

    def __init__(
        self,
        backbone: str,
        segment: str,
        codebook: str,
        num_heads: int | None = None,
        mirrored: bool = True,
        which: Literal["mean", "student"] = "mean",
    ) -> None:
        super().__init__(num_heads=num_heads, mirrored=mirrored)
        self.which = which
        self.files = {"backbone": backbone, "segment": segment, "codebook": codebook}

    def setup(self) -> None:
        """Reads the three files once.

        Raises:
            WeightsError: As `CauseTR.setup`.
        """
        if self.body is not None:
            return
        tensors = {role: load_state_dict(path) for role, path in self.files.items()}
        codebook = needed(tensors["codebook"], ARRAY_KEY, self.files["codebook"])
        self.build(
            tensors["backbone"],
            tensors["segment"],
            codebook,
            (self.files["backbone"], self.files["segment"], self.files["codebook"]),
            {"mean": MEAN, "student": STUDENT}[self.which],
        )
        self._provenance = {
            "weights": {role: sha256_of(path) for role, path in self.files.items()},
            "supervision": (CAUSE_HEADS[self.which],),
            "notes": (),
        }
