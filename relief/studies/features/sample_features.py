"""One pipeline on different features: what learned features, k and depth splitting are worth.

Every backbone sees every image once; all codebooks reuse its window tokens. Ground truth is read
for measuring only.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any, cast

import torch
from rich.console import Console
from rich.progress import Progress

from relief.models.codebook_fitters.lloyd import LloydKMeans
from relief.models.codebooks.feature_samples import (
    key_generator,
    sample_features,
    samples_per_image,
)
from relief.processes.pools import process_pool
from relief.schema.parts import Backbone, Splitter
from relief.schema.selection import OBSERVED_IMAGES, evenly_spaced
from relief.studies.devices import chosen_device
from relief.studies.features.codebook_runs import fit_codebook, measure_labels
from relief.studies.features.feature_windows import read_truth, see_images
from relief.studies.features.sample_features_plan import FeatureSource, SampleFeatures


def run_sample_features(study: SampleFeatures) -> tuple[list[dict[str, Any]], float]:
    """Runs the study.

    Returns:
        One row for each features, k, seed and splitting, figures in percent; and the seconds it
        took.

    Raises:
        UsageError: There are no images, or there is no such device.
        ReadError: An image, its depth or its ground truth cannot be read.
        WeightsError: A backbone cannot be set up.
    """
    start = time.perf_counter()
    chosen_device(study.device)
    for source in study.features:  # what is wrong with the use is told before any work
        cast(Backbone, source.backbone).setup()
    images = sum(len(study.source(split).keys) for split in study.splits)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bars = {
            source.name: progress.add_task(
                source.name, total=images + len(source.ks) * len(study.seeds)
            )
            for source in study.features
        }
        rows = _in_processes(study, lambda name: progress.advance(bars[name]))
    return rows, time.perf_counter() - start


def _in_processes(study: SampleFeatures, advance: Callable[[str], None]) -> list[dict[str, Any]]:
    if study.processes < 2:
        return [row for one in study.features for row in measure_source(study, one, advance)]
    context = multiprocessing.get_context("forkserver")
    with context.Manager() as manager, process_pool(study.processes) as pool:
        steps = manager.Queue()
        work = partial(_measure_in_process, study)
        futures = [pool.submit(work, source, steps.put) for source in study.features]
        for name in _until_done(steps, futures):
            advance(name)
        return [row for future in futures for row in future.result()]


def _until_done(steps: Any, futures: list[Future[Any]]) -> Iterator[str]:
    while not all(future.done() for future in futures):
        try:
            yield steps.get(timeout=0.2)
        except queue.Empty:
            continue


def _measure_in_process(
    study: SampleFeatures, source: FeatureSource, advance: Callable[[str], None]
) -> list[dict[str, Any]]:
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // study.processes))
    return measure_source(study, source, advance)


def measure_source(
    study: SampleFeatures, source: FeatureSource, advance: Callable[[str], None]
) -> list[dict[str, Any]]:
    """All rows of one kind of features.

    Args:
        study: The study.
        source: The features.
        advance: Called with their name after each image seen and each codebook measured.
    """
    step = partial(advance, source.name)
    backbone = cast(Backbone, source.backbone)
    backbone.setup()
    device = chosen_device(study.device)
    source.backbone.to(device)
    sources = {split: study.source(split) for split in study.splits}
    seen = {
        split: see_images(
            *(images, images.keys, backbone, study.depth, study.geometry),
            *(study.split_short_side_px, step, device),
        )
        for split, images in sources.items()
    }
    fit, labelled = seen[study.fit_split], seen[study.split]
    truth = read_truth(sources[study.split], [i.key for i in labelled])
    wanted = samples_per_image(len(fit), study.max_samples)
    samples = torch.cat(
        [
            sample_features(
                *(image.windows, backbone.patch_px, wanted),
                key_generator(study.sampling_seed, image.key),
            )
            for image in fit
        ]
    )
    observed = evenly_spaced(fit, OBSERVED_IMAGES)
    splitters: Mapping[str, Splitter] = {n: study.splittings[n] for n in source.splittings}
    rows = []
    for k in source.ks:
        for seed in study.seeds:
            kmeans = LloydKMeans(k, seed)
            codebook = fit_codebook(kmeans, samples, observed, study.depth, study.rule)
            figures = measure_labels(
                codebook, labelled, truth, study.depth, splitters, study.measure
            )
            for name, values in figures.items():
                about = {"features": source.name, "k": k, "seed": seed, "splitting": name}
                rows.append({**about, **values})
            step()
    return rows
