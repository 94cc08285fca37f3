"""How CAUSE's codebook and head learn from tokens of a frozen body (arXiv:2310.07379)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

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
    """

    codes: int = 2048
    projection_dim: int = 2048
    modularity_temperature: float = 0.1
    contrast_temperature: float = 0.07
    positive: float = 0.3
    negative: float = 0.1
    momentum: float = 0.99
    bank_capacity: int = 100


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

    def forward(self, tokens: Tensor, size: tuple[int, int], picked: Tensor) -> Tensor:
        """Patch tokens (B, h w, width) -> (B, n, projection_dim) at the positions (B, n)."""
        features = self.head(tokens, size).flatten(2)
        at = features.gather(2, picked[:, None].expand(-1, features.shape[1], -1))
        projected: Tensor = self.projection_head["f"](at.unsqueeze(-1)).squeeze(-1)
        return projected.transpose(1, 2)


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

    def contrast_loss(
        self, tokens: Tensor, size: tuple[int, int], picked: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compares projections of the student with those of the mean head and of the bank.

        Args:
            tokens: (B, h w, width).
            size: (h, w).
            picked: (B, n) int64 positions.

        Returns:
            The loss; the codes (B, n) of the picked tokens and their projections (B, n, P) by the
            mean head, for the bank.
        """
        with torch.no_grad():
            taught = self.teacher(tokens, size, picked).to(tokens.dtype)
        learned = self.student(tokens, size, picked).to(tokens.dtype)
        drawn, settings = take(tokens, picked), self.settings
        with torch.autocast(tokens.device.type, enabled=False):
            loss = code_contrast_loss(
                *(learned, taught, drawn, self.codebook, self.bank),
                settings.contrast_temperature,
                settings.positive,
                settings.negative,
            )
            codes = nearest_codes(drawn, self.codebook.detach())
        return loss, codes, taught

    def follow(self, step: int) -> None:
        """Moves the mean head after step `step` of the contrast, counted from 1."""
        if step == 1:
            self.following.renew(self.teacher, self.student)
        else:
            self.following.follow(self.teacher, self.student, step)

    def trained(self) -> Mapping[str, list[nn.Parameter]]:
        """Returns the parameters that learn, of the codebook and of the heads."""
        return {"codebook": [self.codebook], "heads": list(self.student.parameters())}

    def tensors(self) -> dict[str, Tensor]:
        """Returns student, mean head and codebook by the published names."""
        tensors = {"codebook": self.codebook.detach()}
        for suffix, projected in (("", self.student), ("_ema", self.teacher)):
            for name, tensor in projected.state_dict().items():
                part, _, rest = name.partition(".")
                if rest != "codebook":
                    tensors[f"{part}{suffix}.{rest}"] = tensor
        return tensors


def take(tokens: Tensor, picked: Tensor) -> Tensor:
    """Takes the tokens (B, n, width) at positions (B, n) of (B, h w, width)."""
    return tokens.gather(1, picked[..., None].expand(-1, -1, tokens.shape[-1]))
