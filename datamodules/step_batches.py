"""Which images a training batch has, decided by its number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.utils.data import Sampler

_FIRST_SHARE = 0.25


class StepBatchSampler(Sampler[list[int]]):
    """The batches of a whole training, each decided by its number alone.

    Every pass over the images has an order of its own. All ranks together take the images one
    after the other, so that no image comes twice before all came once.

    Args:
        length: Images in all.
        batch_size: Images per rank and batch.
        num_batches: Batches of the whole training, per rank.
        seed: Of the orders.
        rank: This process.
        world_size: Processes in all.
        first_batch: Where a resumed training goes on; the batches before it are not yielded.
        probabilities: (classes, length), with what probability an image is drawn for a class.
        surest_first: The images in this order: a share of them that grows evenly, from a quarter to
            all after half of the batches, is drawn from.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        num_batches: int,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        first_batch: int = 0,
        probabilities: Tensor | None = None,
        surest_first: Sequence[int] | None = None,
    ) -> None:
        self.length, self.batch_size, self.num_batches = length, batch_size, num_batches
        self.seed, self.rank, self.world_size = seed, rank, world_size
        self.first_batch, self.probabilities = first_batch, probabilities
        self.surest_first = surest_first

    def __len__(self) -> int:
        return self.num_batches

    def __iter__(self) -> Iterator[list[int]]:
        turn, order = -1, torch.zeros(0, dtype=torch.int64)
        for batch in range(self.first_batch, self.num_batches):
            first = (batch * self.world_size + self.rank) * self.batch_size
            indices = []
            for position in range(first, first + self.batch_size):
                if self.probabilities is not None:
                    indices.append(self._drawn(self.probabilities, position))
                    continue
                if self.surest_first is not None:
                    share = min(
                        1.0, _FIRST_SHARE + (1 - _FIRST_SHARE) * 2 * batch / self.num_batches
                    )
                    indices.append(self._among(self.surest_first, share, position))
                    continue
                if position // self.length != turn:
                    turn = position // self.length
                    order = self._order(turn)
                indices.append(int(order[position % self.length]))
            yield indices

    def _drawn(self, probabilities: Tensor, position: int) -> int:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + position)
        of_class = probabilities[position % len(probabilities)]
        return int(torch.multinomial(of_class, 1, generator=generator))

    def _among(self, surest_first: Sequence[int], share: float, position: int) -> int:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + position)
        number = max(1, round(share * self.length))
        return surest_first[int(torch.randint(number, (), generator=generator))]

    def _order(self, turn: int) -> Tensor:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + turn)
        return torch.randperm(self.length, generator=generator)
