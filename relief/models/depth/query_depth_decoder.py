"""SPIdepth's second network: learned queries turn features into depth, as in SQLdepth.

Sources: Lavreniuk, "SPIdepth", 2024; Wang et al., "SQLdepth", 2024. Names are the published file's.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relief.models.depth.state_dict_sizes import count

_MIN_BIN_SHARE = 0.1  # added to every bin's width before they are normalised


class QueryDepthDecoder(nn.Module):
    """Features to depth in metres; what `depth.pth` holds.

    Args:
        dim: Channels of the features.
        num_queries: How many tokens become queries.
        num_bins: Depth bins, placed per image.
        patch_size: Side of a token in feature pixels.
        num_heads: Attention heads of the transformer.
        num_layers: Layers of the transformer.
        feed_forward_dim: Width of its feed-forward layers.
        regressor_dims: Widths of the two hidden layers that place the bins.
        max_tokens: Rows of the table of positions.
        min_depth_m: Near end of the bins.
        max_depth_m: Far end of the bins.
    """

    def __init__(
        self,
        *,
        dim: int,
        num_queries: int,
        num_bins: int,
        patch_size: int,
        num_heads: int,
        num_layers: int = 4,
        feed_forward_dim: int = 1024,
        regressor_dims: tuple[int, int] = (512, 256),
        max_tokens: int = 500,
        min_depth_m: float = 0.01,
        max_depth_m: float = 80.0,
    ) -> None:
        super().__init__()
        self.num_queries = num_queries
        self.min_depth_m = min_depth_m
        self.max_depth_m = max_depth_m
        self.embedding_convPxP = nn.Conv2d(dim, dim, patch_size, stride=patch_size)
        self.positional_encodings = nn.Parameter(torch.rand(max_tokens, dim))
        layer = nn.TransformerEncoderLayer(dim, num_heads, feed_forward_dim, batch_first=True)
        self.transformer_encoder = nn.TransformerEncoder(
            layer, num_layers, enable_nested_tensor=False
        )
        self.conv3x3 = nn.Conv2d(dim, dim, 3, padding=1)
        self.bins_regressor = nn.Sequential(
            nn.Linear(num_queries * dim, regressor_dims[0]),
            nn.LeakyReLU(),
            nn.Linear(regressor_dims[0], regressor_dims[1]),
            nn.LeakyReLU(),
            nn.Linear(regressor_dims[1], num_bins),
        )
        self.convert_to_prob = nn.Sequential(nn.Conv2d(num_queries, num_bins, 1), nn.Softmax(dim=1))

    @classmethod
    def like(
        cls,
        state_dict: Mapping[str, Tensor],
        *,
        num_heads: int,
        min_depth_m: float,
        max_depth_m: float,
    ) -> QueryDepthDecoder:
        """A decoder of the sizes that a state dict's tensors have.

        Raises:
            KeyError: It is no state dict of such a decoder.
        """
        num_bins, num_queries = state_dict["convert_to_prob.0.weight"].shape[:2]
        max_tokens, dim = state_dict["positional_encodings"].shape
        return cls(
            dim=dim,
            num_queries=num_queries,
            num_bins=num_bins,
            patch_size=state_dict["embedding_convPxP.weight"].shape[-1],
            num_heads=num_heads,
            num_layers=count(state_dict, r"transformer_encoder\.layers\.(\d+)\."),
            feed_forward_dim=state_dict["transformer_encoder.layers.0.linear1.weight"].shape[0],
            regressor_dims=(
                state_dict["bins_regressor.0.weight"].shape[0],
                state_dict["bins_regressor.2.weight"].shape[0],
            ),
            max_tokens=max_tokens,
            min_depth_m=min_depth_m,
            max_depth_m=max_depth_m,
        )

    def forward(self, features: Tensor) -> Tensor:
        """(B, dim, h, w) -> depth in metres (B, 1, h, w).

        Raises:
            ValueError: The features give fewer tokens than queries, or more than positions.
        """
        wrong = self.wrong_tokens(features.shape[-2], features.shape[-1])
        if wrong is not None:
            raise ValueError(wrong)
        tokens = self.embedding_convPxP(features).flatten(2).mT
        tokens = self.transformer_encoder(tokens + self.positional_encodings[: tokens.shape[1]])
        queries = tokens[:, : self.num_queries]
        features = self.conv3x3(features)
        energies = torch.einsum("bqc,bchw->bqhw", queries, features)
        attention = energies.flatten(2).softmax(dim=-1)
        summaries = attention @ features.flatten(2).mT
        centers_m = self._bin_centers_m(self.bins_regressor(summaries.flatten(1)))
        probabilities = self.convert_to_prob(energies)
        return (probabilities * centers_m[:, :, None, None]).sum(dim=1, keepdim=True)

    def wrong_tokens(self, height: int, width: int) -> str | None:
        """Explains why features (..., height, width) cannot be taken; `None` where they can."""
        patch = self.embedding_convPxP.kernel_size[0]
        rows, columns = height // patch, width // patch
        most = len(self.positional_encodings)
        if self.num_queries <= rows * columns <= most:
            return None
        return f"gives {rows} x {columns} tokens, expected {self.num_queries} to {most} tokens"

    def _bin_centers_m(self, raw: Tensor) -> Tensor:
        shares = F.relu(raw) + _MIN_BIN_SHARE
        widths_m = (self.max_depth_m - self.min_depth_m) * shares / shares.sum(1, keepdim=True)
        return self.min_depth_m + widths_m.cumsum(dim=1) - widths_m / 2
