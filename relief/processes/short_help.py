"""The page that `--help` alone prints: what people type, at once, before any library is loaded.

`SCRIPT --config RECIPE --help` prints every option there is, with those of Lightning's trainer.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

PAGES = {
    "label": """\
usage: label.py [--config RECIPE] [--data.init_args.root DIR] [--out DIR] [option ...]

Turns images into panoptic labels, measures them where there is ground truth, writes a report.
Without options: the drawn sample. The same command again finishes what is missing.

  -c, --config RECIPE         a recipe's name or file (`relief recipes` lists them)
  --data.init_args.root DIR   the folder of your images, for recipes that take one
  --out DIR                   output folder; outputs/label/RECIPE unless given
  --overwrite true            start anew in a folder that is in use
  --codebook FILE             use this codebook in place of one fitted on the images
  --limit N                   label the first N images
  --if_missing true           do nothing where all images are labelled

Many images, in shards (docs/scaling.md):
  --shards 0-99|auto|none     label these shards; none only makes the plan and the codebook
  --shard_size N              images per shard of a new plan
  --finish true               prove and list all shards

Parts and numbers of the recipe (`--model.help CLASS` lists those of a class):
  --model, --data, --fitter, --thingness    such as --model.init_args.split_short_side_px 1024
  --trainer.devices N, --trainer.accelerator cpu|cuda, --seed_everything N
  --writer.num_threads N, --evaluator.protocols [NAME,...], --report.names FILE
  --report.strict true        exit code 1 where the health of the labels is red
""",
    "train": """\
usage: train.py [fit|validate|test] [--config RECIPE] [--out DIR] [option ...]
       train.py rounds [--config RECIPE] [option ...]

Trains a detector on labels (stage 2), or lets one teach itself (stage 3).
Without options: the drawn sample. The same command again goes on from the last checkpoint.

  fit                         train
  validate, test              measure a checkpoint
  rounds                      a class-agnostic detector teaches itself, round after round

  -c, --config RECIPE         a recipe's name or file (`relief recipes` lists them)
  --out DIR                   output folder; outputs/train/RECIPE unless given
  --overwrite true            start anew in a folder that is in use
  --ckpt_path FILE            the checkpoint to go on from, or to measure
  --label_runs                label stores by folder, with the arguments of label.py that make them

Parts and numbers of the recipe (`--model.help CLASS` after a command lists those of a class):
  --model, --data             such as --model.init_args.checkpoint FILE
  --trainer.max_steps N, --trainer.devices N, --trainer.accelerator cpu|cuda, --seed_everything N
""",
    "predict": """\
usage: relief predict --checkpoint CKPT INPUT [INPUT ...] [--out DIR] [option ...]

Predicts images and videos with a trained detector: panoptic.json with its PNGs, instances.json,
overlaid pictures, and of each video an overlaid video. An input is an image, a video, a folder of
images, or a pattern such as 'drive/*.jpg'.

  --checkpoint FILE           what training wrote, such as OUT/checkpoints/last.ckpt
  --out DIR                   output folder; outputs/predict unless given
  --carry_ids true            an object keeps its number from frame to frame
  --every N                   of videos, only each N-th frame
  --overlays false            no pictures
  --short_side_px N           the network sees images with this short side
  --score_threshold S         detections with a lower score are left out
  --stuff_area_px N           stuff with fewer pixels at 1024x2048 is left void
  --things_from_regions true  objects are the regions of things, for networks that tell these apart
  --unfound_as_stuff true     things without an object are stuff, likewise
                              these five are as in the recipe of the checkpoint unless given
  --device cpu|cuda           a GPU where there is one unless given
  --overwrite true            predict anew into a folder that is in use
""",
    "export-model": """\
usage: relief export-model --checkpoint CKPT --out DIR [option ...]

Exports a trained network, for programs without Relief: ONNX and a PyTorch program.

  --checkpoint CKPT  what training wrote, or plain weights
  --out DIR          gets model.onnx, model_float16.onnx, model.pt2, model.json
  --height_px N      of the images that it is going to see; 256
  --width_px N       of these; 512
  --half false       no model_float16.onnx
""",
    "evaluate": """\
usage: evaluate.py COMMAND [--config RECIPE] [option ...]

Measures labels, compares them, exports them.

  labels             scores labels against ground truth
  sweep              scores many splitter settings at once
  study NAME         makes one table: of configs/studies
  instances          measures instances as COCO does: AP and AR
  export             writes a label store for another tool: YOLO, COCO, LabelMe, ...
  health             says how labels look, without ground truth: green, amber, red
  names              makes a page on which a person names clusters
  review             makes a page of the least sure objects, on which a person decides
  diagnose           says which classes are missed, what absorbs them, which clusters are dead
  diagnose objects   says what things lose, step by step
  compare            puts two runs side by side

Each command lists its options: evaluate.py labels --help
""",
}
ALL = "\nEvery option: {name}.py {first}--config RECIPE --help\n"
FIRST = {"label": "", "train": "fit "}


def short_help(script: str, args: Sequence[str]) -> str | None:
    """Returns the page of a script for `--help` alone, `None` for any other arguments.

    Args:
        script: Its path or name, with or without `.py`.
        args: What follows it.
    """
    name = Path(script).stem
    if name not in PAGES or list(args) not in (["-h"], ["--help"]):
        return None
    every = ALL.format(name=name, first=FIRST[name]) if name in FIRST else ""
    return PAGES[name] + every
