"""Losses that teach CAUSE's codebook and head, on tokens of a frozen network.

Kim et al., "Causal Unsupervised Semantic Segmentation", 2023. B images, N tokens of each, C their
width, P that of projections, K codes.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

_CODES_AT_ONCE = 64


def modularity_loss(tokens: Tensor, codebook: Tensor, temperature: float = 0.1) -> Tensor:
    """Modularity of the graph of an image's tokens under a codebook, negated.

    Tokens are joined by their cosine, negative ones by nothing. Two tokens are in one community as
    far as some code is alike to both: tanh of the largest product of their cosines with a code.
    Also the loss of the cluster probe, with features for tokens and the probe for codebook.

    Args:
        tokens: (B, N, C) float; no gradient.
        codebook: (K, C) float; the gradient goes to the winning code of each pair.
        temperature: Divides the products.

    Returns:
        A scalar, the mean over images; an image whose tokens are all unlike counts as 0.
    """
    unit = F.normalize(tokens.detach(), dim=-1)
    weights = (unit @ unit.transpose(1, 2)).clamp(min=0)
    weights = weights - torch.diag_embed(weights.diagonal(dim1=1, dim2=2))
    degree = weights.sum(dim=2)
    total = degree.sum(dim=1)[:, None, None]
    joined = total > 0
    expected = degree[:, :, None] * degree[:, None] / torch.where(joined, total, 1)
    modularity = torch.where(joined, (weights - expected) / torch.where(joined, total, 1), 0)
    likeness = (unit @ F.normalize(codebook, dim=-1).T).clamp(min=0)
    shared = torch.tanh(_largest_products(likeness) / temperature)
    return -(modularity * shared).sum(dim=(1, 2)).mean()


def _largest_products(likeness: Tensor) -> Tensor:
    """(B, N, K) -> (B, N, N) the largest product over codes; (B, K, N, N) is never built."""
    with torch.no_grad():
        best = likeness.new_full((*likeness.shape[:2], likeness.shape[1]), -1)
        winner = torch.zeros(best.shape, dtype=torch.int64, device=likeness.device)
        for start in range(0, likeness.shape[2], _CODES_AT_ONCE):
            some = likeness[:, :, start : start + _CODES_AT_ONCE]
            product, code = (some[:, :, None] * some[:, None]).max(dim=-1)
            winner = torch.where(product > best, start + code, winner)
            best = torch.maximum(product, best)
    first = likeness.gather(2, winner)
    second = likeness.gather(2, winner.transpose(1, 2)).transpose(1, 2)
    return first * second


def nearest_codes(tokens: Tensor, codebook: Tensor) -> Tensor:
    """(..., C) tokens to the (...) int64 code of largest cosine of the (K, C) codebook."""
    return (tokens @ F.normalize(codebook, dim=-1).T.to(tokens)).argmax(dim=-1)


def pair_shares(
    codes: Tensor, codebook: Tensor, positive: float, negative: float
) -> tuple[float, float]:
    """Returns the shares of pairs of tokens whose codes are alike and unlike.

    Args:
        codes: Of tokens, any shape.
        codebook: (K, C).
        positive: Codes whose cosine is above it are alike.
        negative: Codes whose cosine is below it are unlike.
    """
    used, counts = codes.unique(return_counts=True)
    unit = F.normalize(codebook.detach()[used], dim=-1)
    likeness, pairs = unit @ unit.T, torch.outer(counts, counts).double()
    alike, unlike = (pairs[chosen].sum() for chosen in (likeness > positive, likeness < negative))
    return float(alike / pairs.sum()), float(unlike / pairs.sum())


class CodeBank:
    """The newest projections of each code, as keys for later batches.

    Args:
        capacity: Rows of each code that are kept.

    Attributes:
        codes: (M,) int64, ascending; empty at first.
        projections: (M, P) as they were added, without gradient; oldest first within a code.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.codes = torch.zeros(0, dtype=torch.int64)
        self.projections = torch.zeros(0, 0)

    def add(self, codes: Tensor, projections: Tensor, kept: Tensor) -> None:
        """Appends rows and forgets the oldest of codes that have too many.

        Args:
            codes: (B, N) or (M,) int64 codes of tokens.
            projections: (B, N, P) or (M, P) of the same tokens.
            kept: (m,) int64 flat positions to append, in this order.
        """
        new = projections.detach().reshape(-1, projections.shape[-1])[kept]
        known = self.projections.to(new) if len(self.codes) else new[:0]
        joined = torch.cat((self.codes.to(new.device), codes.reshape(-1)[kept]))
        order = joined.argsort(stable=True)
        sorted_codes = joined[order]
        _, counts = sorted_codes.unique_consecutive(return_counts=True)
        last = counts.cumsum(0).repeat_interleave(counts)
        age = last - 1 - torch.arange(len(sorted_codes), device=last.device)
        newest = order[age < self.capacity]
        self.codes, self.projections = joined[newest], torch.cat((known, new))[newest]


def code_contrast_loss(
    student: Tensor,
    teacher: Tensor,
    tokens: Tensor,
    codebook: Tensor,
    bank: CodeBank | None = None,
    temperature: float = 0.07,
    positive: float = 0.3,
    negative: float = 0.1,
) -> Tensor:
    """Draws projections of tokens of alike codes together, and those of unlike codes apart.

    Anchors are the student's projections of one image, keys the teacher's of the whole batch, and
    in a second term of each image the rows of the bank. A key of an alike code is positive, one of
    an unlike code negative, those between and the anchor's own place are neither. The mean of a
    term is over all its positive pairs; terms without one are left out.

    Args:
        student: (B, N, P) float; the only one that gets a gradient.
        teacher: (B, N, P).
        tokens: (B, N, C), which have the codes.
        codebook: (K, C).
        bank: Earlier projections; an empty one is as good as none.
        temperature: Divides the cosines of projections.
        positive: Codes whose cosine is above it are alike.
        negative: Codes whose cosine is below it are unlike.

    Returns:
        A scalar; 0 with a gradient of 0 where there is no positive pair at all.
    """
    batch, count = student.shape[:2]
    unit = F.normalize(codebook.detach(), dim=-1)
    codes = nearest_codes(tokens.detach(), codebook.detach())
    anchors = F.normalize(student, dim=-1)
    keys = F.normalize(teacher.detach(), dim=-1).reshape(batch * count, -1)
    likeness = unit[codes] @ unit[codes.reshape(-1)].T
    own = torch.eye(batch * count, dtype=torch.bool, device=student.device)
    own = own.reshape(batch, count, batch * count)
    logits = anchors @ keys.T / temperature
    terms = _terms(logits, (likeness > positive) & ~own, (likeness < negative) & ~own)
    if bank is not None and len(bank.codes):
        likeness = unit[codes] @ unit[bank.codes.to(unit.device)].T
        rows = F.normalize(bank.projections.to(anchors), dim=-1)
        logits = anchors @ rows.T / temperature
        terms += _terms(logits, likeness > positive, likeness < negative)
    return torch.stack(terms).mean() if terms else student.sum() * 0


def _terms(logits: Tensor, is_positive: Tensor, is_negative: Tensor) -> list[Tensor]:
    """The mean loss of each image (n, keys) over its positive pairs, where it has any."""
    compared = logits.masked_fill(~(is_positive | is_negative), -torch.inf)
    per_pair = compared.logsumexp(dim=-1, keepdim=True) - logits
    return [
        loss[pairs].mean()
        for loss, pairs in zip(per_pair, is_positive, strict=True)
        if bool(pairs.any())
    ]


def ema_update(
    student_state: Mapping[str, Tensor], teacher_state: Mapping[str, Tensor], momentum: float
) -> dict[str, Tensor]:
    """The teacher moved towards the student: momentum * teacher + (1 - momentum) * student.

    Args:
        student_state: Holds the names of the teacher; left as it is.
        teacher_state: By name.
        momentum: Share of the teacher that stays.

    Returns:
        New tensors by the names of the teacher.
    """
    return {
        name: momentum * tensor + (1 - momentum) * student_state[name].detach()
        for name, tensor in teacher_state.items()
    }
