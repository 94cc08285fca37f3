"""The 64 published settings in one pass against a plain loop over settings, in one run.

    python benchmarks/sweep.py [--images 12] [--plain_images 1]

The plain way is written here as research scripts do it: for each setting the files are read again,
the gradient is scipy's, there is one labelling and one boolean mask for each thing, and PQ compares
masks. True and false positives, false negatives and IoU sums must be identical. Times are CPU
seconds of one thread, so that neighbours on the machine matter less. Scenes are drawn by
`relief.samples`; the clusters are ground truth on a grid of 14 px with noise.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from jsonargparse import ArgumentParser
from scipy import ndimage

from relief.formats.label_png import write_png
from relief.metrics.protocols import SEED
from relief.samples.draw import draw_sample
from relief.schema.label_spaces import CITYSCAPES_19
from relief.sources.cityscapes import CityscapesSource
from relief.studies.sweeps.cut_scores import FilteredCut
from relief.studies.sweeps.sweep import prepare, run_sweep, shared_reading
from relief.studies.sweeps.sweep_images import image_tables
from relief.studies.sweeps.sweep_plan import SweepRequest, SweepSource, settings

KS = (50, 60, 80)
THINGS = CITYSCAPES_19.things
CROSS = ndimage.generate_binary_structure(2, 1)
Statistics = dict[str, np.ndarray]


def draw_inputs(root: Path, images: int) -> list[str]:
    """Scenes, depth, and cluster trees of each k with their majority vote."""
    with contextlib.redirect_stderr(io.StringIO()):
        draw_sample(root, train_images=1, val_images=images)
    source = CityscapesSource(root, "val")
    for k in KS:
        folder = root / f"pseudo_semantic_raw_k{k}"
        for number, key in enumerate(source.keys):
            random = np.random.default_rng((k, number))
            classes = source.target(key)[..., 0].numpy()
            small = cv2.resize(
                classes.astype(np.float32), (73, 36), interpolation=cv2.INTER_NEAREST
            )
            small = np.where(random.random(small.shape) < 0.04, random.integers(0, 19), small)
            small = np.where(small < 0, 2, small).astype(np.int64)
            clusters = small + 19 * random.integers(0, k // 19, small.shape)
            large = cv2.resize(
                clusters.astype(np.uint8), classes.shape[::-1], interpolation=cv2.INTER_NEAREST
            )
            (folder / "val" / key).parent.mkdir(parents=True, exist_ok=True)
            write_png(folder / "val" / f"{key}.png", large)
        np.savez(folder / "kmeans_centroids.npz", centroids=np.zeros((k, 1)),
                 cluster_to_class=np.arange(k) % 19)  # fmt: skip
    return source.keys


def published(root: Path) -> SweepRequest:
    """The 64 settings of `configs/sweep/granularity.yaml`."""
    parser = ArgumentParser()
    parser.add_argument("--config", action="config")
    parser.add_class_arguments(SweepRequest)
    parsed = parser.parse_args(["--config", "configs/sweep/granularity.yaml"])
    values = dict(parser.instantiate(parsed).items())
    values.pop("config")
    sources = [source for source in values["sources"] if source.name in {f"k={k}" for k in KS}]
    depth = [type(values["depths"][0])("drawn", str(root / "depth"))]
    changed = {"sources": sources, "depths": depth, "root": str(root), "processes": 1}
    return SweepRequest(
        **{**values, **changed, "protocols": ["seed"], "separate_area_filter": False,
           "out": str(root / "out")}
    )  # fmt: skip


def plain_instances(
    semantic: np.ndarray, depth: np.ndarray, tau: float | None, min_area_px: int
) -> list[tuple[int, np.ndarray]]:
    """Class and mask of each instance, one labelling for each class."""
    edges = np.zeros(semantic.shape, bool)
    if tau is not None:
        smooth = ndimage.gaussian_filter(depth.astype(np.float64), 1.0)
        edges = np.hypot(ndimage.sobel(smooth, 1), ndimage.sobel(smooth, 0)) > tau
    found = []
    for class_id in THINGS:
        region = semantic == class_id
        labels, count = ndimage.label(region & ~edges, CROSS)
        masks = [labels == number for number in range(1, count + 1)]
        masks = [mask for mask in masks if mask.sum() >= min_area_px]
        masks.sort(key=lambda mask: -mask.sum())
        taken = np.zeros(semantic.shape, bool)
        for mask in masks:
            final = mask
            if tau is not None:
                grown = ndimage.binary_dilation(mask, CROSS, iterations=3)
                final = mask | (grown & region & ~taken)
            taken |= final
            found.append((class_id, final))
    return sorted(found, key=lambda one: -one[1].sum())


def plain_statistics(
    semantic: np.ndarray, instances: list[tuple[int, np.ndarray]], target: np.ndarray
) -> Statistics:
    """True and false positives, false negatives and IoU sums by class, mask by mask."""
    free = np.ones(semantic.shape, bool)
    predicted = [(c, semantic == c) for c in CITYSCAPES_19.stuffs]
    for class_id, mask in instances:
        predicted.append((class_id, mask & free))
        free &= ~mask
    true = [(c, target[..., 0] == c) for c in CITYSCAPES_19.stuffs]
    for class_id, number in np.unique(target.reshape(-1, 2), axis=0):
        if class_id in THINGS and number > 0:
            true.append((class_id, (target == (class_id, number)).all(axis=-1)))
    least = {c: SEED.min_thing_px if c in THINGS else SEED.min_stuff_px for c in range(19)}
    predicted = [(c, m) for c, m in predicted if m.sum() >= least[c]]
    true = [(c, m) for c, m in true if m.sum() >= least[c]]
    totals = {name: np.zeros(19) for name in ("iou_sum", "tp", "fp", "fn")}
    left = list(range(len(predicted)))
    for class_id, mask in true:
        for i in left:
            if predicted[i][0] != class_id:
                continue
            iou = (mask & predicted[i][1]).sum() / (mask | predicted[i][1]).sum()
            if iou > 0.5:
                totals["tp"][class_id] += 1
                totals["iou_sum"][class_id] += iou
                left.remove(i)
                break
        else:
            totals["fn"][class_id] += 1
    for i in left:
        totals["fp"][predicted[i][0]] += 1
    return totals


def plain(root: Path, key: str, k: int, tau: float | None, min_area_px: int) -> Statistics:
    """One image under one setting, everything from its files."""
    folder = root / f"pseudo_semantic_raw_k{k}"
    with np.load(folder / "kmeans_centroids.npz") as file:
        classes = file["cluster_to_class"]
    clusters = cv2.imread(str(folder / "val" / f"{key}.png"), cv2.IMREAD_UNCHANGED)
    depth = np.load(root / "depth" / "val" / f"{key}.npy").astype(np.float32)
    target = CityscapesSource(root, "val").target(key).numpy()
    semantic = classes[clusters]
    return plain_statistics(semantic, plain_instances(semantic, depth, tau, min_area_px), target)


def ours(request: SweepRequest, key: str) -> dict[tuple[int, float | None, int], Statistics]:
    """One image under all settings, from one pass."""
    shared = shared_reading(request, [SEED])
    prepared = [prepare(source, request, shared) for source in request.sources]
    tables = image_tables([work for work, _ in prepared], key)
    found = {}
    for source, (_, scored), own in zip(request.sources, prepared, tables, strict=True):
        for setting in settings(source, request):
            filters = (scored, setting.cut, [setting.min_area_px])
            cut = FilteredCut.of(*filters, [own], SEED.short_side_px)
            counts = cut.counts(scored.scorer.identity(), SEED)
            names = ("iou_sum", "tp", "fp", "fn")
            tau = setting.arguments.get("gradient_threshold")
            setting_key = (scored.k, tau, setting.min_area_px)
            found[setting_key] = {name: getattr(counts, name)[0, 0] for name in names}
    return found


def timed(work: Any, *args: Any) -> tuple[Any, float]:
    """A result and its CPU seconds."""
    start = time.process_time()
    result = work(*args)
    return result, time.process_time() - start


def main() -> None:
    """Prints times, ratios, and whether the figures are identical."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=12, help="images of our pass")
    parser.add_argument("--plain_images", type=int, default=1, help="images of the plain way")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        keys = draw_inputs(root, options.images)
        request = published(root)
        image_tables(
            [prepare(s, request, shared_reading(request, [SEED]))[0] for s in request.sources],
            keys[0],
        )  # warm
        for path in (root / "out").rglob("*.npz"):
            path.unlink()
        with contextlib.redirect_stderr(io.StringIO()):
            result, all_seconds = timed(run_sweep, request)
        assert not result.failures and len(result.rows) == 64, (len(result.rows), result.failures)
        per_image = all_seconds / options.images
        if options.plain_images:
            compare_with_plain(root, request, keys[: options.plain_images], per_image)
        print(f"ours, 500 images x 64 settings: {500 * per_image:.0f} s (wanted: 90, aim 60)")
        single(root, request, keys[0])


def compare_with_plain(
    root: Path, request: SweepRequest, keys: list[str], our_seconds: float
) -> None:
    """All settings of some images both ways."""
    seconds, different, settings_seen = 0.0, 0, 0
    for key in keys:
        for (k, tau, area), totals in ours(request, key).items():
            expected, spent = timed(plain, root, key, k, tau, area)
            seconds += spent
            settings_seen += 1
            same = all(np.array_equal(totals[n], expected[n]) for n in ("tp", "fp", "fn"))
            different += not (
                same and np.allclose(totals["iou_sum"], expected["iou_sum"], atol=1e-9)
            )
    plain_seconds = seconds / len(keys)
    print(f"identical figures in {settings_seen - different} of {settings_seen} settings")
    print(f"plain, one image x 64 settings: {plain_seconds:.2f} s CPU")
    print(f"ours,  one image x 64 settings: {our_seconds:.3f} s CPU")
    print(f"ratio: {plain_seconds / our_seconds:.0f} times (wanted: 100)")


def single(root: Path, request: SweepRequest, key: str) -> None:
    """One setting of one image both ways."""
    source = request.sources[-1]
    row = next(row for row in source.rows if row.gradient_threshold == 0.2)
    alone = SweepSource(
        source.name, source.labels, [type(row)([1000], 0.2)], source.format, "classes"
    )
    one = SweepRequest([alone], request.depths, root=str(root), separate_area_filter=False,
                       protocols=["seed"], out=str(root / "single"))  # fmt: skip
    _, our_seconds = timed(ours, one, key)
    _, plain_seconds = timed(plain, root, key, 80, 0.2, 1000)
    print(f"one setting: plain {plain_seconds:.3f} s, ours {our_seconds:.3f} s CPU")
    print(f"ratio: {plain_seconds / our_seconds:.1f} times (wanted: 4)")


if __name__ == "__main__":
    main()
