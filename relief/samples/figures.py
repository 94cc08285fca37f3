"""Measures what the drawn sample promises.

    python -m relief.samples.figures --root DIR

prints, for each split: the images and pixels of every class; the share of things that touch one of
their own class, and how often depth tells the two apart; how well a classifier guesses the class of
an object from its mean colour; and how strong the texture of each class is.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from relief.samples.measures import (
    GRADIENT_THRESHOLD,
    class_coverage,
    group_images,
    guess_from_colour,
    read_split,
    texture_strength,
    touching_things,
)
from relief.schema.errors import ReliefError
from relief.schema.label_spaces import CITYSCAPES_19


def print_figures(root: Path, console: Console) -> None:
    """Prints all figures of a sample."""
    splits = {split: list(read_split(root, split)) for split in ("train", "val")}
    table = Table(title=f"sample {root}")
    for heading in ("class", "train images", "train %", "val images", "val %", "texture std"):
        table.add_column(heading, justify="left" if heading == "class" else "right")
    coverage = {split: class_coverage(truths) for split, truths in splits.items()}
    strength = texture_strength(splits["val"])
    for class_id, name in enumerate(CITYSCAPES_19.names):
        cells = [name]
        for images, share in coverage.values():
            cells += [str(images[class_id]), f"{100 * share[class_id]:.3f}"]
        table.add_row(*cells, f"{strength[class_id]:.3f}")
    console.print(table)
    for split, truths in splits.items():
        console.print(f"[bold]{split}[/]: {len(truths)} images of {truths[0].category.shape}")
        touch = touching_things(truths)
        console.print(
            f"  things: {touch.things}, touching one of their class: {touch.touching} "
            f"({100 * touch.touching / max(1, touch.things):.1f} %), pairs: {touch.pairs}, parted "
            f"by depth at {GRADIENT_THRESHOLD}: {touch.visible_pairs} "
            f"({100 * touch.visible_pairs / max(1, touch.pairs):.1f} %)"
        )
        colour = guess_from_colour(truths)
        groups, void = group_images(truths)
        console.print(f"  images with a group region: {groups}, void: {100 * void:.1f} % of pixels")
        console.print(
            f"  class from mean RGB of {colour.objects} objects: accuracy "
            f"{100 * colour.accuracy:.1f} % (majority {100 * colour.majority:.1f} %), balanced "
            f"{100 * colour.balanced_accuracy:.1f} % (chance {100 * colour.chance:.1f} %)"
        )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m relief.samples.figures", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="a sample drawn before")
    try:
        print_figures(parser.parse_args().root, Console())
    except ReliefError as error:
        Console(stderr=True).print(str(error), soft_wrap=True, markup=False)
        sys.exit(2)


if __name__ == "__main__":
    main()
