"""What a training sample costs a core of the reading processes, and shared memory a batch.

    python -m benchmarks.training_input --image FILE --labels OUT [--size 640 1280] [--repeats 9]

`FILE` is any photograph, `OUT` a label store; its first labels are enlarged to the size of the
photograph. *Plain* is how samples were read before: ids unpacked to int64 at their own size, then
resized, and the detector's targets made of them in the reading process.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.label_io import enlarged_labels, milliseconds
from datamodules.shared_memory import bytes_of
from datamodules.training_samples import LabelledImages, TrainingImage
from relief.formats.images import read_image
from relief.formats.label_png import read_rgb
from relief.formats.label_run import LabelRun
from relief.formats.label_store import PANOPTIC, LabelStore, write_manifest
from relief.formats.segment_ids import compose_segment_ids, split_segment_ids
from relief.ops.objects.pseudo_targets import DetectorTargets, detector_targets
from relief.ops.resize import resize_image, resize_nearest
from relief.schema.training import DetectorClasses

BATCH_SIZE = 16


def plain_panoptic(store: LabelStore, key: str) -> Tensor:
    """(H, W, 2) int64: all ids unpacked at their own size."""
    wide = read_rgb(store.file(PANOPTIC, key)).astype(np.uint32)
    ids = wide[..., 0] | wide[..., 1] << 8 | wide[..., 2] << 16
    category, instance = split_segment_ids(ids)
    semantic = store.semantic(key)
    is_thing = store.manifest.is_thing
    loose = (category < 0) & (semantic >= 0) & is_thing[semantic.clamp(0, len(is_thing) - 1)]
    category = torch.where(loose, semantic, category)
    return torch.stack((category, torch.where(category >= 0, instance, 0)), dim=-1)


def plain_sample(
    image: Path, store: LabelStore, key: str, size: tuple[int, int], classes: DetectorClasses
) -> tuple[Tensor, DetectorTargets]:
    """The image and the targets of a sample, targets as int64."""
    panoptic = plain_panoptic(store, key).permute(2, 0, 1)
    at_size = resize_nearest(panoptic, size).permute(1, 2, 0)
    resized = resize_image(read_image(image)[None], size)[0]
    return resized, detector_targets(at_size, classes)


def measure(
    image: Path, labels: Path, out: Path, size: tuple[int, int], repeats: int
) -> dict[str, float]:
    """Milliseconds of a core, and megabytes of a batch, in both ways.

    Raises:
        AssertionError: The ways differ.
    """
    store, own_size = LabelStore(labels), read_image(image).shape[-2:]
    write_manifest(out, store.manifest)
    run, large = LabelRun(out), LabelStore(out)
    ((key, semantic, panoptic),) = enlarged_labels(store, (own_size[0], own_size[1]), 1)
    segments = compose_segment_ids(panoptic, store.manifest.is_thing)
    run.write(key, semantic, segments, store.num_categories)
    things = store.thing_ids or ()
    stuff = tuple(i for i in range(store.num_categories) if i not in things)
    classes = DetectorClasses(things, stuff)
    dataset = LabelledImages([TrainingImage(key, image)], large, size)
    sample = dataset[0]
    pixels, targets = plain_sample(image, large, key, size, classes)
    maps = torch.stack((sample["category"], sample["instance"]), dim=-1).to(torch.int64)
    for ours, plain in zip(detector_targets(maps, classes), targets, strict=True):
        assert torch.equal(ours, plain)
    assert torch.equal(sample["image"], pixels)
    as_jpeg, half = out / "photograph.jpg", (own_size[0] // 2, own_size[1] // 2)
    Image.fromarray(read_image(image).permute(1, 2, 0).numpy()).save(as_jpeg, quality=90)
    plain_bytes = pixels.nbytes + targets.semantic.nbytes + targets.instance.nbytes
    return {
        "reading the photograph, ms": milliseconds(lambda: read_image(image), repeats),
        "... as JPEG, ms": milliseconds(lambda: read_image(as_jpeg), repeats),
        "... decoded at half its sides, ms": milliseconds(
            lambda: read_image(as_jpeg, half), repeats
        ),
        "sample, plain, ms": milliseconds(
            lambda: plain_sample(image, large, key, size, classes), repeats
        ),
        "sample, ms": milliseconds(lambda: dataset[0], repeats),
        "targets on the device, ms of a core": milliseconds(
            lambda: detector_targets(maps, classes), repeats
        ),
        "batch of 16, plain, MB": BATCH_SIZE * plain_bytes / 1e6,
        "batch of 16, MB": BATCH_SIZE * bytes_of(sample) / 1e6,
    }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--image", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--size", type=int, nargs=2, default=(640, 1280))
    parser.add_argument("--repeats", type=int, default=9)
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(
            given.image, given.labels, Path(folder), (given.size[0], given.size[1]), given.repeats
        )
    for name, value in figures.items():
        print(f"{name:38s}{value:8.1f}")


if __name__ == "__main__":
    main()
