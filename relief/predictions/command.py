"""The command `relief predict`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from jsonargparse import ArgumentParser

from relief.models.segmenters.checkpoint import read_segmenter
from relief.models.segmenters.prediction.predictor import PanopticPredictor
from relief.predictions.clips import clips_of
from relief.predictions.predict import Predictor
from relief.reports.run_log import open_log
from relief.reports.telling import ended, is_first_process, say
from relief.schema.ranges import check_at_least


@dataclass(frozen=True)
class PredictRequest:
    """Predicts images and videos with a trained detector.

    What is not given of the size, the score, the area and the switches is as in the recipe that the
    checkpoint was trained by.

    Args:
        inputs: Folders of images, image and video files, patterns such as 'drive/*.jpg'.
        checkpoint: What training wrote, such as OUT/checkpoints/last.ckpt, or an exported network.
        out: Output folder.
        carry_ids: An object keeps its number from frame to frame, by how much its masks overlap.
        every: Of videos, only each so-manieth frame.
        overlays: Make overlaid pictures, and videos of videos.
        short_side_px: The network sees images with this short side.
        score_threshold: Detections with a lower score are left out.
        stuff_area_px: Stuff with fewer pixels is left void; meant at 1024x2048, scaled to the map.
        things_from_regions: Objects are the thing regions of the semantic head, which detections
            part, for networks trained with things apart.
        unfound_as_stuff: Pixels of things that no object takes are the likeliest stuff, for
            networks trained with things apart.
        device: cpu or cuda; a GPU where there is one unless given.
        overwrite: Predict anew into a folder that is in use.
    """

    inputs: list[str]
    checkpoint: str
    out: str = "outputs/predict"
    carry_ids: bool = False
    every: int = 1
    overlays: bool = True
    short_side_px: int | None = None
    score_threshold: float | None = None
    stuff_area_px: float | None = None
    things_from_regions: bool | None = None
    unfound_as_stuff: bool | None = None
    device: str | None = None
    overwrite: bool = False

    def predictor(self, of_recipe: Mapping[str, Any]) -> PanopticPredictor:
        """Returns how outputs become maps.

        Args:
            of_recipe: What counts unless given; `SegmenterCheckpoint.prediction`.
        """
        names = [one.name for one in fields(PanopticPredictor)]
        given = {name: getattr(self, name, None) for name in names}
        chosen = {name: of_recipe.get(name) if v is None else v for name, v in given.items()}
        return PanopticPredictor(**{n: v for n, v in chosen.items() if v is not None})


def parse_predict(args: Sequence[str]) -> PredictRequest:
    """Reads the options of `PredictRequest`; raises `ArgumentError`."""
    parser = ArgumentParser(prog="relief predict", exit_on_error=False)
    parser.add_argument("inputs", nargs="+", help="Images, videos, folders of images, patterns.")
    parser.add_class_arguments(PredictRequest, skip={"inputs"})
    return PredictRequest(**dict(parser.parse_args(list(args)).items()))


def main(args: Sequence[str] | None = None) -> int:
    """Predicts; returns the exit code: 1 where an image failed.

    Raises:
        UsageError: An option, an input, the checkpoint or the output folder is wrong.
    """
    request = parse_predict(sys.argv[1:] if args is None else args)
    open_log(speaks=is_first_process())
    check_at_least(1, every=request.every, short_side_px=request.short_side_px)
    clips = clips_of(request.inputs, request.every)
    chosen = request.device or ("cuda" if torch.cuda.is_available() else "cpu")
    trained = read_segmenter(Path(request.checkpoint))
    predictor = Predictor(
        trained,
        request.predictor(trained.prediction),
        Path(request.out),
        torch.device(chosen),
        carry_ids=request.carry_ids,
        overlays=request.overlays,
    )
    predictor.claim(overwrite=request.overwrite)
    outcome = predictor.run(clips)
    say(outcome.speed)
    say(f"written: {request.out}/panoptic.json, instances.json")
    return ended([failure["reason"] for failure in outcome.failures])
