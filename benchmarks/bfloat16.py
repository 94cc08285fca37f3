"""Which share of the labels bfloat16, or several images in one call, change on the sample.

    python -m benchmarks.bfloat16 [--root outputs/sample] [--images 12] [--k 27 80 300]

Features are the sample's learned ones. Codebooks are fitted in float32 on train images, seen one by
one; validation images are labelled with them in bfloat16, and in float32 with others in one call.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from relief.formats.images import read_image
from relief.models.backbones.cause_tr import CauseTR
from relief.models.codebook_fitters.lloyd import LloydKMeans
from relief.models.codebooks.feature_samples import patch_features
from relief.models.labelling.cluster_segmentation import window_features, window_features_of_all
from relief.models.precision import Precision, run_in
from relief.ops.window_features import WindowFeatures
from relief.schema.geometry import WindowGeometry
from relief.sources.cityscapes import CityscapesSource

WEIGHTS = "relief/samples/weights/cause_tr_sample.safetensors"


def see(
    network: CauseTR, source: CityscapesSource, most: int, precision: Precision
) -> list[WindowFeatures]:
    """The windows of the first images of a split."""
    run_in(network, precision)
    images = [read_image(source.image_path(key)).float() / 255 for key in source.keys[:most]]
    return [window_features(network, image, WindowGeometry()) for image in images]


def see_together(
    network: CauseTR, source: CityscapesSource, most: int, images_per_call: int
) -> list[WindowFeatures]:
    """The windows of the first images of a split, several in one call, in float32."""
    run_in(network, "float32")
    images = [read_image(source.image_path(key)).float() / 255 for key in source.keys[:most]]
    seen: list[WindowFeatures] = []
    for start in range(0, most, images_per_call):
        batch = torch.stack(images[start : start + images_per_call])
        found = window_features_of_all(network, batch, WindowGeometry())
        seen += [windows for windows in found if windows is not None]
    return seen


def cosines(some: list[WindowFeatures], others: list[WindowFeatures]) -> torch.Tensor:
    """Cosines between features of the same tokens."""
    pairs = zip(some, others, strict=True)
    return torch.cat(
        [
            torch.nn.functional.cosine_similarity(a.mosaic, b.mosaic, dim=0).flatten()
            for a, b in pairs
        ]
    )


@torch.no_grad()
def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path("outputs/sample"))
    parser.add_argument("--weights", default=WEIGHTS)
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--images_per_call", type=int, default=4)
    parser.add_argument("--k", type=int, nargs="+", default=[27, 80, 300])
    options = parser.parse_args()
    network = CauseTR(options.weights)
    network.setup()
    train, val = (CityscapesSource(options.root, split) for split in ("train", "val"))
    fit = see(network, train, options.images, "float32")
    samples = torch.cat([patch_features(windows, network.patch_px) for windows in fit])
    exact = see(network, val, options.images, "float32")
    rounded = see(network, val, options.images, "bfloat16")
    count = options.images_per_call
    others = {
        "bfloat16": rounded,
        f"{count} images a call": see_together(network, val, options.images, count),
    }
    for name, seen in others.items():
        cosine = cosines(exact, seen)
        print(f"{name}, {len(exact)} images: cosine {cosine.mean():.6f}, least {cosine.min():.6f}")
    for k in options.k:
        unit = torch.nn.functional.normalize(LloydKMeans(k).fit(samples), dim=1)
        for name, seen in others.items():
            pairs = zip(exact, seen, strict=True)
            flips = [(a.clusters(unit) != b.clusters(unit)).float().mean().item() for a, b in pairs]
            mean, most = 100 * sum(flips) / len(flips), 100 * max(flips)
            print(f"k={k:<4d} {name}: other labels {mean:.4f} %, in an image at most {most:.4f} %")


if __name__ == "__main__":
    main()
