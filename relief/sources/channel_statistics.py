"""Mean and standard deviation of the colours of a data set, for recipes to name.

    python -m relief.sources.channel_statistics --source CLASS --source.root DIR [--limit N]

prints them as the arguments of `relief.models.augmentations.matched_colours.MatchedColours`.
"""

from __future__ import annotations

import sys

import torch
from jsonargparse import ArgumentParser
from rich.console import Console
from torch import Tensor

from relief.formats.images import read_image
from relief.processes.progress import with_progress
from relief.schema.errors import ReliefError, UsageError
from relief.schema.selection import evenly_spaced
from relief.schema.sources import ImageSource


def channel_statistics(source: ImageSource, limit: int = 500) -> tuple[Tensor, Tensor]:
    """Measures the colours of all pixels of some images.

    Args:
        source: The data set.
        limit: At most so many images, evenly spaced over the keys.

    Returns:
        Mean and standard deviation, (3,) float64 each; red, green and blue in [0, 1].

    Raises:
        UsageError: There is no image.
        ReadError: One cannot be read.
    """
    keys = evenly_spaced(list(source.keys), limit)
    pixels, total, squares = 0, torch.zeros(3).double(), torch.zeros(3).double()
    for key in with_progress(keys, "colours", len(keys)):
        image = read_image(source.image_path(key)).double() / 255
        pixels += image[0].numel()
        total += image.sum(dim=(1, 2))
        squares += image.square().sum(dim=(1, 2))
    mean = total / pixels
    return mean, (squares / pixels - mean.square()).clamp(min=0).sqrt()


def main() -> None:
    """Prints the statistics of the data set that is named on the command line."""
    parser = ArgumentParser(prog="python -m relief.sources.channel_statistics")
    parser.add_argument("--source", type=ImageSource, required=True)
    parser.add_argument("--limit", type=int, default=500)
    options = parser.instantiate_classes(parser.parse_args())
    try:
        mean, deviation = channel_statistics(options.source, options.limit)
    except ReliefError as error:
        Console(stderr=True).print(str(error), soft_wrap=True, markup=False)
        sys.exit(2 if isinstance(error, UsageError) else 1)
    for name, values in (("mean", mean), ("deviation", deviation)):
        sys.stdout.write(f"{name}: [{', '.join(f'{value:.3f}' for value in values.tolist())}]\n")


if __name__ == "__main__":
    main()
