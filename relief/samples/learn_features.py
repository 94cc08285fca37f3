"""Learns the sample's features: `python -m relief.samples.learn_features --root DIR --out FILE`.

See `relief.samples.feature_learner` for what is learned from what.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import torch

from relief.samples.feature_learner import LearningPlan, learn_features
from relief.samples.train_images import load_train_images
from relief.schema.errors import ReliefError

NOTE = "the features know drawn scenes only: they were learned on the sample's train images"


def main(arguments: list[str] | None = None) -> int:
    """Reads the train images, learns, writes one safetensors file. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True, help="a drawn sample")
    parser.add_argument("--out", type=Path, required=True, help="the .safetensors file to write")
    parser.add_argument("--limit", type=int, help="learn from the first N train images only")
    parser.add_argument("--distill_steps", type=int, default=LearningPlan.distill_steps)
    parser.add_argument("--cluster_steps", type=int, default=LearningPlan.cluster_steps)
    parser.add_argument("--rounds", type=int, default=LearningPlan.rounds)
    parser.add_argument("--seed", type=int, default=LearningPlan.seed)
    options = parser.parse_args(arguments)
    plan = LearningPlan(
        distill_steps=options.distill_steps,
        cluster_steps=options.cluster_steps,
        rounds=options.rounds,
        seed=options.seed,
    )
    try:
        images = load_train_images(options.root, options.limit)
        started = time.perf_counter()
        network = learn_features(images, plan, say)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        network.save(options.out, {"notes": [NOTE], "supervision": []}, half=True)
    except ReliefError as error:
        say(f"error: {error}")
        return 2
    minutes = (time.perf_counter() - started) / 60
    say(f"{options.out}: learned from {len(images)} images in {minutes:.1f} minutes")
    return 0


def say(line: str) -> None:
    """One line on the terminal, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main())
