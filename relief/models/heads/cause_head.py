"""The CAUSE-TR segmentation head (arXiv:2310.07379), by its published key names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relief.models.backbones.dinov2_body import needed
from relief.models.weights.files import fill
from relief.ops.cause_training import nearest_codes
from relief.schema.errors import WeightsError

MEAN, STUDENT = "head_ema.", "head."  # the mean head was averaged from the student
# What else the published file holds: the projections of their contrastive loss, a probe trained
# with labels, a second copy of the codebook.
IGNORED_PREFIXES = (
    "projection_head.", "projection_head_ema.", "linear.", "head_ema.codebook", "head.codebook",
)  # fmt: skip


class QueryDecoder(nn.Module):
    """One post-norm decoder layer with one attention head; its output is added to the tokens.

    Args:
        width: Channels of tokens and queries.
        hidden: Channels of the feed-forward part.
        dim: Channels of the output.
        dropout: In training mode; on both attentions, all branches and both outputs.
    """

    def __init__(self, width: int, hidden: int, dim: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(width, 1, dropout, batch_first=True)
        self.multihead_attn = nn.MultiheadAttention(width, 1, dropout, batch_first=True)
        self.linear1 = nn.Linear(width, hidden)
        self.linear2 = nn.Linear(hidden, width)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.f1 = nn.Conv2d(width, dim, 1)
        self.f2 = nn.Sequential(nn.Conv2d(width, width, 1), nn.ReLU(), nn.Conv2d(width, dim, 1))
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, query: Tensor, position: Tensor) -> Tensor:
        """Tokens and queries (B, N, width), position (N, width) -> (B, dim, N, 1)."""
        drop, located = self.dropout, query + position
        attended = self.self_attn(located, located, query, need_weights=False)[0]
        query = self.norm1(query + drop(attended))
        attended = self.multihead_attn(query + position, tokens, tokens, need_weights=False)[0]
        query = self.norm2(query + drop(attended))
        query = self.norm3(query + drop(self.linear2(drop(F.relu(self.linear1(query))))))
        residual = (tokens + query).transpose(1, 2).unsqueeze(-1)
        features: Tensor = self.f1(drop(residual)) + self.f2(drop(residual))
        return features


class QueryHead(nn.Module):
    """Tokens to features: every token asks with the codebook entry nearest by cosine.

    Args:
        width: Channels of the tokens.
        codes: Entries of the codebook.
        dim: Channels of the features.
        hidden: Channels of the feed-forward part.
        grid: Places along a side of the square windows that it learns from.
        dropout: See `QueryDecoder`.
    """

    def __init__(
        self,
        width: int,
        codes: int,
        dim: int = 90,
        hidden: int = 2048,
        grid: int = 23,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.dim, self.grid = dim, grid
        self.query_pos = nn.Parameter(torch.randn(grid**2, width))
        self.tr = QueryDecoder(width, hidden, dim, dropout)
        self.register_buffer("codebook", torch.zeros(codes, width))
        self.codebook: Tensor

    @torch.no_grad()
    def use_codebook(self, codebook: Tensor) -> None:
        """Takes the values of a codebook (codes, width)."""
        self.codebook.copy_(codebook)

    def forward(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        """Patch tokens (B, h w, width) -> (B, dim, h, w)."""
        codes = nearest_codes(F.normalize(tokens, dim=-1), self.codebook)
        query = self.codebook[codes].to(tokens.dtype)
        features: Tensor = self.tr(tokens, query, self.positions(size))
        return features.unflatten(2, size).squeeze(-1)

    def positions(self, size: tuple[int, int]) -> Tensor:
        """(h w, width): as learned; enlarged bilinearly where the window has another size."""
        if size == (self.grid, self.grid):
            return self.query_pos
        square = self.query_pos.T.reshape(1, -1, self.grid, self.grid)
        resized = F.interpolate(square, size, mode="bilinear", align_corners=False)
        return resized.flatten(2)[0].T


class CauseHead(QueryHead):
    """A learned head of a published file, or of one by the same names.

    Args:
        state_dict: Of the whole published module.
        codebook: (codes, width).
        source: The file of which errors speak.
        codebook_source: The file of the codebook, where it is another.
        prefix: Which of the two heads is used, by its names: `MEAN` or `STUDENT`.

    Raises:
        WeightsError: A tensor is missing, unknown, or of another shape.
    """

    def __init__(
        self,
        state_dict: Mapping[str, Tensor],
        codebook: Tensor,
        source: Path | str = "segment",
        codebook_source: Path | str | None = None,
        prefix: str = MEAN,
    ) -> None:
        places, width = needed(state_dict, f"{prefix}query_pos", source, ndim=2).shape
        hidden = needed(state_dict, f"{prefix}tr.linear1.weight", source, ndim=2).shape[0]
        dim = needed(state_dict, f"{prefix}tr.f1.weight", source, ndim=4).shape[0]
        codebook = needed({"codebook": codebook}, "codebook", codebook_source or source, ndim=2)
        grid = round(places**0.5)
        if grid**2 != places:
            msg = (
                f"cannot load weights: {source} ({prefix}query_pos has {places} places, which "
                "are no square). Give the file of this network."
            )
            raise WeightsError(msg)
        super().__init__(width, len(codebook), dim, hidden, grid)
        ignored = (*IGNORED_PREFIXES, STUDENT if prefix == MEAN else MEAN)
        used = {n: t for n, t in state_dict.items() if not n.startswith(ignored)}
        named = {n.removeprefix(prefix): t for n, t in used.items()}
        fill(self, {**named, "codebook": self.codebook}, source=source)
        self.codebook = codebook.float().clone()
