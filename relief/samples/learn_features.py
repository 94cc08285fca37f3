"""Learns the sample's features: `python -m relief.samples.learn_features --root DIR --out FILE`.

With `--handmade` the whitening of the hand-made features is fitted instead, in seconds. See
`relief.samples.features.feature_learner` for what is learned from what.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import torch

from relief.models.backbones.cause_tr import CauseTR
from relief.models.backbones.handmade import save_whitening
from relief.samples.features.feature_learner import LearningPlan, learn_features
from relief.samples.features.handmade_whitening import fit_handmade
from relief.samples.train_images import load_train_images
from relief.schema.errors import ReliefError

NOTES = (
    "the features know drawn scenes only: they were learned on the sample's train images",
    "the way they were learned, not the weights, was chosen by the mIoU on the sample's val images",
)


def main(arguments: list[str] | None = None) -> int:
    """Reads the train images, learns, writes one safetensors file. Returns the exit code."""
    options = _parser().parse_args(arguments)
    started = time.perf_counter()
    try:
        images = load_train_images(options.root, options.limit)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        if options.handmade:
            save_whitening(options.out, *fit_handmade(images, options.seed))
        else:
            plan = LearningPlan(steps=options.steps, seed=options.seed)
            start = None
            if options.start is not None:
                start = CauseTR(str(options.start))
                start.setup()
            network = learn_features(images, plan, say, start)
            network.save(options.out, {"notes": list(NOTES), "supervision": []}, half=True)
    except ReliefError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    minutes = (time.perf_counter() - started) / 60
    say(f"{options.out}: learned from {len(images)} images in {minutes:.1f} minutes")
    return 0


def say(line: str) -> None:
    """One line on the terminal, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m relief.samples.learn_features",
        description="Learns the sample's features from its train images, without labels or depth.",
    )
    parser.add_argument("--root", type=Path, required=True, help="a drawn sample")
    parser.add_argument("--out", type=Path, required=True, help="the .safetensors file to write")
    parser.add_argument("--handmade", action="store_true", help="fit the hand-made features")
    parser.add_argument("--start", type=Path, help="go on from the weights of an earlier run")
    parser.add_argument("--limit", type=int, help="learn from the first N train images only")
    parser.add_argument("--steps", type=int, default=LearningPlan.steps)
    parser.add_argument("--seed", type=int, default=LearningPlan.seed)
    return parser


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main())
