"""How CAUSE's codebook and head learn from tokens of a frozen body (arXiv:2310.07379)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from relief.models.teachers.mean_teacher import MeanTeacher
from relief.ops.cause_training import (
    CodeBank,
    code_contrast_loss,
    modularity_loss,
    nearest_codes,
)

MakeHead = Callable[[int, int], nn.Module]
"""(Channels of the tokens, entries of the codebook) -> a head."""

PROBE = "cluster_probe"


@dataclass(frozen=True)
class HeadSettings:
    """The numbers of the training, as published.

    Attributes:
        codes: Entries of the codebook.
        projection_dim: Channels in which features are compared.
        modularity_temperature: Divides products of likenesses; smaller ones saturate earlier.
        contrast_temperature: Divides cosines of projections.
        positive: Codes whose cosine is above it are alike.
        negative: Codes whose cosine is below it are unlike.
        momentum: Share of the mean head that stays at a step.
        bank_capacity: Projections of each code that are kept as further keys.
        probe: Clusters of a probe that learns beside the head, on features that are handed to it
            without a gradient, so that the head comes out the same; `None`: none.
    """

    codes: int = 2048
    projection_dim: int = 2048
    modularity_temperature: float = 0.1
    contrast_temperature: float = 0.07
    positive: float = 0.3
    negative: float = 0.1
    momentum: float = 0.99
    bank_capacity: int = 100
    probe: int | None = None


class ProjectedHead(nn.Module):
    """A head, and the projection in which its features are compared while it learns.

    Args:
        head: Tokens (B, h w, width) and (h, w) to features (B, `dim`, h, w).
        projection_dim: Channels of the projection.
    """

    head: Any

    def __init__(self, head: Any, projection_dim: int) -> None:
        super().__init__()
        self.head = head
        self.projection_head = nn.ModuleDict({"f": nn.Conv2d(head.dim, projection_dim, 1)})

    def forward(
        self, tokens: Tensor, size: tuple[int, int], picked: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Computes features at some positions, and their projections.

        Args:
            tokens: (B, h w, width).
            size: (h, w).
            picked: (B, n) int64 positions.

        Returns:
            Projections (B, n, projection_dim) and features (B, n, dim).
        """
        features = self.head(tokens, size).flatten(2)
        at = features.gather(2, picked[:, None].expand(-1, features.shape[1], -1))
        projected: Tensor = self.projection_head["f"](at.unsqueeze(-1)).squeeze(-1)
        return projected.transpose(1, 2), at.transpose(1, 2)


class Contrast(NamedTuple):
    """One step of the contrast.

    Attributes:
        loss: Scalar; its gradient reaches the student only.
        codes: (B, n) of the picked tokens.
        taught: (B, n, projection_dim) by the mean head, for the bank.
        probe_loss: Scalar, negated modularity of the mean head's features under the probe; its
            gradient reaches the probe only. `None` without one.
    """

    loss: Tensor
    codes: Tensor
    taught: Tensor
    probe_loss: Tensor | None


class HeadLearner(nn.Module):
    """A codebook, a student head, its moving average, and the bank of earlier projections.

    Args:
        width: Channels of the tokens.
        make_head: Makes student and mean head.
        settings: The numbers of the training.

    Attributes:
        codebook: (codes, width), raw.
        student: What the contrast teaches.
        teacher: Its moving average; equal to the student after the first step, as published.
        bank: The newest projections of the teacher.
        probe: (clusters, features), or `None`.
    """

    student: ProjectedHead
    teacher: Any

    def __init__(self, width: int, make_head: MakeHead, settings: HeadSettings) -> None:
        super().__init__()
        self.settings = settings
        codes = settings.codes
        self.codebook = nn.Parameter(torch.empty(codes, width).uniform_(-1 / codes, 1 / codes))
        self.student = ProjectedHead(make_head(width, codes), settings.projection_dim)
        self.following = MeanTeacher(settings.momentum)
        self.teacher = self.following.begin(self.student).train()  # dropout acts in it too
        self.bank = CodeBank(settings.bank_capacity)
        self.probe: nn.Parameter | None = None
        if settings.probe is not None:  # last: the head starts as it would without
            ids = settings.probe
            start = torch.empty(ids, self.student.head.dim).uniform_(-1 / ids, 1 / ids)
            self.probe = nn.Parameter(start)

    def get_extra_state(self) -> dict[str, Tensor]:
        """Returns the bank, which travels with checkpoints."""
        return {"codes": self.bank.codes, "projections": self.bank.projections}

    def set_extra_state(self, state: Mapping[str, Tensor]) -> None:
        """Takes the bank of a checkpoint."""
        self.bank.codes, self.bank.projections = state["codes"], state["projections"]

    def codebook_loss(self, tokens: Tensor, picked: Tensor) -> Tensor:
        """Returns the negated modularity of picked tokens under the codebook.

        Args:
            tokens: (B, h w, width).
            picked: (B, n) int64 positions.
        """
        drawn = take(tokens, picked)
        with torch.autocast(tokens.device.type, enabled=False):
            return modularity_loss(drawn, self.codebook, self.settings.modularity_temperature)

    def freeze_codebook(self) -> None:
        """Hands the codebook to both heads: from now on they learn."""
        for projected in (self.student, self.teacher):
            projected.head.use_codebook(self.codebook)

    def contrast_loss(self, tokens: Tensor, size: tuple[int, int], picked: Tensor) -> Contrast:
        """Compares projections of the student with those of the mean head and of the bank.

        Args:
            tokens: (B, h w, width).
            size: (h, w).
            picked: (B, n) int64 positions.
        """
        with torch.no_grad():
            taught, features = (
                part.to(tokens.dtype) for part in self.teacher(tokens, size, picked)
            )
        learned = self.student(tokens, size, picked)[0].to(tokens.dtype)
        drawn, settings = take(tokens, picked), self.settings
        probe_loss = None
        with torch.autocast(tokens.device.type, enabled=False):
            loss = code_contrast_loss(
                *(learned, taught, drawn, self.codebook, self.bank),
                settings.contrast_temperature,
                settings.positive,
                settings.negative,
            )
            codes = nearest_codes(drawn, self.codebook.detach())
            if self.probe is not None:
                probe_loss = modularity_loss(features, self.probe, settings.modularity_temperature)
        return Contrast(loss, codes, taught, probe_loss)

    def follow(self, step: int) -> None:
        """Moves the mean head after step `step` of the contrast, counted from 1."""
        if step == 1:
            self.following.renew(self.teacher, self.student)
        else:
            self.following.follow(self.teacher, self.student, step)

    def trained(self) -> Mapping[str, list[nn.Parameter]]:
        """Returns the parameters that learn, of the codebook, of the head and of the probe."""
        return {
            "codebook": [self.codebook],
            "heads": list(self.student.parameters()),
            **({} if self.probe is None else {"probe": [self.probe]}),
        }

    def tensors(self) -> dict[str, Tensor]:
        """Returns student, mean head, codebook and probe by the published names."""
        tensors = {"codebook": self.codebook.detach()}
        if self.probe is not None:
            tensors[PROBE] = self.probe.detach()
        for suffix, projected in (("", self.student), ("_ema", self.teacher)):
            for name, tensor in projected.state_dict().items():
                part, _, rest = name.partition(".")
                if rest != "codebook":
                    tensors[f"{part}{suffix}.{rest}"] = tensor
        return tensors


def take(tokens: Tensor, picked: Tensor) -> Tensor:
    """Takes the tokens (B, n, width) at positions (B, n) of (B, h w, width)."""
    return tokens.gather(1, picked[..., None].expand(-1, -1, tokens.shape[-1]))
