"""The command `relief export-model`: a trained network as ONNX and as a PyTorch program."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from jsonargparse import ArgumentParser
from torch import nn

from relief.formats.files.atomic import write_bytes, write_text
from relief.models.segmenters.checkpoint import read_segmenter
from relief.reports.run_log import open_log
from relief.reports.telling import is_first_process, say
from relief.schema.errors import UsageError
from relief.schema.training import Exportable

ONNX, HALF, PROGRAM, MAPS = "model.onnx", "model_float16.onnx", "model.pt2", "model.json"
_NEEDED = ("onnx", "onnxscript")
_MOST_IMAGES = 1024  # in a batch


@dataclass(frozen=True)
class ExportModelRequest:
    """Exports a trained network, for programs that do not have this one.

    Args:
        checkpoint: What training wrote, such as OUT/checkpoints/last.ckpt, or plain weights.
        out: Gets model.onnx (float32), model_float16.onnx, model.pt2 and model.json.
        height_px: Of the images that the network is going to see; as in its training.
        width_px: As the height.
        half: Write model_float16.onnx too; needs onnxruntime.
    """

    checkpoint: str
    out: str
    height_px: int = 256
    width_px: int = 512
    half: bool = True


def export_model(request: ExportModelRequest) -> list[Path]:
    """Writes the files; returns their paths.

    Images are (B, 3, height, width) float32 in [0, 1], B from 1 to 1024; what comes out is told by
    `relief.schema.training.Exportable`, and `panoptic_numpy.py` makes maps of it.

    Raises:
        UsageError: ONNX is not installed, or the network cannot be exported.
        WeightsError: The checkpoint cannot be read.
        WriteError: A file cannot be written.
    """
    needed = (*_NEEDED, *(["onnxruntime"] if request.half else []))
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise UsageError(f"not installed: {', '.join(missing)}. pip install 'relief[onnx]'.")
    trained = read_segmenter(Path(request.checkpoint))
    network = trained.build()
    if not isinstance(network, Exportable):
        msg = (
            f"cannot export {type(network).__name__}: its objects are made by operators that ONNX "
            "does not have. Train configs/train/sample_boundaries.yaml's network, or use "
            "`relief predict`."
        )
        raise UsageError(msg)
    module, rule = network.traced()
    out, classes = Path(request.out), trained.classes
    image = torch.rand(2, 3, request.height_px, request.width_px)
    paths = [out / PROGRAM, out / ONNX, *([out / HALF] if request.half else []), out / MAPS]
    program = _traced(module, image)
    write_bytes(out / PROGRAM, _saved(program))
    model = _as_onnx(program, image)
    write_bytes(out / ONNX, model.SerializeToString())
    if request.half:
        write_bytes(out / HALF, _halved(model).SerializeToString())
    told = {
        "stuff": list(classes.stuff),
        "things": list(classes.things),
        "size": [request.height_px, request.width_px],
        "supervision": list(trained.origin.supervision),
        "notes": list(trained.origin.notes),
        **rule,
    }
    write_text(out / MAPS, json.dumps(told, indent=1) + "\n")
    return paths


def _traced(module: nn.Module, image: torch.Tensor) -> torch.export.ExportedProgram:
    batch = torch.export.Dim("batch", min=1, max=_MOST_IMAGES)
    with torch.no_grad():
        return torch.export.export(module, (image,), dynamic_shapes=({0: batch},))


def _saved(program: torch.export.ExportedProgram) -> bytes:
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    return buffer.getvalue()


def _as_onnx(program: torch.export.ExportedProgram, image: torch.Tensor) -> Any:
    logging.getLogger("onnxscript").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = torch.onnx.export(
            program,
            (image,),
            dynamo=True,
            input_names=["image"],
            output_names=["shares", "boundaries"],
            external_data=False,
            verbose=False,
        )
    assert made is not None  # a path was not given, so that a program is
    return made.model_proto


def _halved(model: Any) -> Any:
    """The same with weights of 16 bits; images and probabilities stay float32."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return convert_float_to_float16(model, keep_io_types=True)


def main(args: Sequence[str] | None = None) -> int:
    """Exports; returns the exit code: 0, or 2 for wrong use."""
    parser = ArgumentParser(prog="relief export-model", exit_on_error=False)
    parser.add_class_arguments(ExportModelRequest, as_positional=False)
    request = ExportModelRequest(**dict(parser.parse_args(args).items()))
    open_log(speaks=is_first_process())
    for path in export_model(request):
        say(f"{path} ({path.stat().st_size / 2**20:.1f} MiB)")
    return 0
