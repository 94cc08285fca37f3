"""An exported network against the one in PyTorch: maps, PQ and seconds an image on one thread.

    python -m benchmarks.exported_model --checkpoint CKPT --exported DIR --root ROOT

`DIR` is of `relief export-model`, `ROOT` a Cityscapes tree with ground truth, as the drawn sample.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from jsonargparse import auto_cli
from numpy.typing import NDArray
from torch import Tensor

import relief
from relief.formats.images import read_image
from relief.models.segmenters.checkpoint import read_segmenter
from relief.models.segmenters.prediction.predictor import PanopticPredictor
from relief.ops.resize import resize_image
from relief.predictions.export_model import HALF, MAPS, ONNX, PROGRAM
from relief.predictions.panoptic_numpy import panoptic_map
from relief.sources.cityscapes import CityscapesSource

Map = NDArray[np.int64]
Probabilities = Callable[[Tensor], list[NDArray[np.float32]]]


def main(checkpoint: Path, exported: Path, root: Path, split: str = "val") -> None:
    """Prints a row for the network and for each file.

    Args:
        checkpoint: What `DIR` was exported from.
        exported: The folder `DIR`.
        root: The tree.
        split: Of the tree.
    """
    torch.set_num_threads(1)
    told = json.loads((exported / MAPS).read_text(encoding="utf-8"))
    source = CityscapesSource(root, split)
    photographs = [read_image(source.image_path(key)).float() / 255 for key in source.keys]
    truth = [source.target(key).numpy() for key in source.keys]
    trained = read_segmenter(checkpoint)
    network, height_px = trained.build(), told["size"][0]
    predictor = PanopticPredictor(
        short_side_px=height_px, score_threshold=0, stuff_area_px=0, unfound_as_stuff=True
    )

    def seen(image: Tensor) -> Map:
        size = (image.shape[-2], image.shape[-1])
        return predictor(network, trained.classes, image[None], size)[0].numpy()  # type: ignore[arg-type]

    def by(probabilities: Probabilities) -> Callable[[Tensor], Map]:
        def map_of(image: Tensor) -> Map:
            small = resize_image(image[None], (told["size"][0], told["size"][1]))
            shares, boundaries = probabilities(small)
            return panoptic_map(shares[0], boundaries[0], told, (image.shape[-2], image.shape[-1]))

        return map_of

    program = torch.export.load(exported / PROGRAM).module()
    ways = {"PyTorch": seen, PROGRAM: by(lambda image: [one.numpy() for one in program(image)])}
    for name in (ONNX, HALF):
        if (exported / name).is_file():
            ways[name] = by(_onnx(exported / name))
    with torch.no_grad():
        first = [seen(image) for image in photographs]
        for name, map_of in ways.items():
            start = time.process_time()
            maps = [map_of(image) for image in photographs]
            seconds = (time.process_time() - start) / len(maps)
            pairs = zip(maps, first, strict=True)
            same = np.mean([(one == other).all(axis=-1).mean() for one, other in pairs])
            figures = relief.panoptic_quality(
                maps, truth, source.label_space.things, source.label_space.stuffs, told["things"]
            )
            pq = ", ".join(f"{100 * figures[n]:.2f}" for n in ("pq", "pq_things", "pq_stuff"))
            print(f"{name:20} PQ, things, stuff {pq}; {100 * same:.3f} % alike; {seconds:.3f} s")


def _onnx(path: Path) -> Probabilities:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options)
    return lambda image: session.run(None, {"image": image.numpy()})


if __name__ == "__main__":
    auto_cli(main, as_positional=False)
