"""The CAUSE-TR segmentation head (arXiv:2310.07379), by its published key names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relief.models.backbones.dinov2_body import needed
from relief.models.weights.files import fill
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
    """

    def __init__(self, width: int, hidden: int, dim: int) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(width, 1, batch_first=True)
        self.multihead_attn = nn.MultiheadAttention(width, 1, batch_first=True)
        self.linear1 = nn.Linear(width, hidden)
        self.linear2 = nn.Linear(hidden, width)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.f1 = nn.Conv2d(width, dim, 1)
        self.f2 = nn.Sequential(nn.Conv2d(width, width, 1), nn.ReLU(), nn.Conv2d(width, dim, 1))

    def forward(self, tokens: Tensor, query: Tensor, position: Tensor) -> Tensor:
        """Tokens and queries (B, N, width), position (N, width) -> (B, dim, N, 1)."""
        located = query + position
        query = self.norm1(query + self.self_attn(located, located, query, need_weights=False)[0])
        attended = self.multihead_attn(query + position, tokens, tokens, need_weights=False)[0]
        query = self.norm2(query + attended)
        query = self.norm3(query + self.linear2(F.relu(self.linear1(query))))
        residual = (tokens + query).transpose(1, 2).unsqueeze(-1)
        return self.f1(residual) + self.f2(residual)


class CauseHead(nn.Module):
    """Tokens to features: every token asks with the codebook entry nearest by cosine.

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
        super().__init__()
        queries, width = needed(state_dict, f"{prefix}query_pos", source, ndim=2).shape
        hidden = needed(state_dict, f"{prefix}tr.linear1.weight", source, ndim=2).shape[0]
        self.dim = needed(state_dict, f"{prefix}tr.f1.weight", source, ndim=4).shape[0]
        codebook = needed({"codebook": codebook}, "codebook", codebook_source or source, ndim=2)
        self.grid = round(queries**0.5)
        if self.grid**2 != queries:
            msg = (
                f"cannot load weights: {source} ({prefix}query_pos has {queries} places, which "
                "are no square). Give the file of this network."
            )
            raise WeightsError(msg)
        self.query_pos = nn.Parameter(torch.empty(queries, width))
        self.tr = QueryDecoder(width, hidden, self.dim)
        ignored = (*IGNORED_PREFIXES, STUDENT if prefix == MEAN else MEAN)
        used = {n: t for n, t in state_dict.items() if not n.startswith(ignored)}
        fill(self, {n.removeprefix(prefix): t for n, t in used.items()}, source=source)
        self.register_buffer("codebook", codebook.float().clone())
        self.codebook: Tensor

    def forward(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        """Patch tokens (B, h w, width) -> (B, dim, h, w)."""
        similarity = F.normalize(tokens, dim=-1) @ F.normalize(self.codebook, dim=-1).T
        query = self.codebook[similarity.argmax(dim=-1)].to(tokens.dtype)
        return self.tr(tokens, query, self.positions(size)).unflatten(2, size).squeeze(-1)

    def positions(self, size: tuple[int, int]) -> Tensor:
        """(h w, width): as learned; enlarged bilinearly where the window has another size."""
        if size == (self.grid, self.grid):
            return self.query_pos
        square = self.query_pos.T.reshape(1, -1, self.grid, self.grid)
        resized = F.interpolate(square, size, mode="bilinear", align_corners=False)
        return resized.flatten(2)[0].T
