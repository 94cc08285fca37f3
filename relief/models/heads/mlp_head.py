"""The second head of CAUSE (arXiv:2310.07379): every token by itself."""

from __future__ import annotations

from torch import Tensor, nn


class MLPHead(nn.Module):
    """Tokens to features by one linear map and one with a hidden layer, added.

    Args:
        width: Channels of the tokens.
        codes: Entries of the codebook, at which it does not look.
        dim: Channels of the features.
        dropout: In training mode; one mask for each of the two maps.
    """

    def __init__(self, width: int, codes: int, dim: int = 90, dropout: float = 0.1) -> None:
        super().__init__()
        del codes
        self.dim = dim
        self.f1 = nn.Conv2d(width, dim, 1)
        self.f2 = nn.Sequential(nn.Conv2d(width, width, 1), nn.ReLU(), nn.Conv2d(width, dim, 1))
        self.dropout = nn.Dropout(dropout)

    def use_codebook(self, codebook: Tensor) -> None:
        """Leaves everything as it is."""

    def forward(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        """Patch tokens (B, h w, width) -> (B, dim, h, w)."""
        grid = tokens.transpose(1, 2).unflatten(2, size)
        features: Tensor = self.f1(self.dropout(grid)) + self.f2(self.dropout(grid))
        return features
