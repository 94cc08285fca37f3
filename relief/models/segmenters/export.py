"""A trained network as plain weights: tensors by name, and what they are in the metadata.

python -m relief.models.segmenters.export --checkpoint last.ckpt --out teacher.safetensors
python -m relief.models.segmenters.export --checkpoint last.ckpt --which student --out FILE
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from safetensors.torch import save

from relief.formats.files.atomic import WriteError, write_bytes
from relief.models.segmenters.checkpoint import (
    METADATA_KEY,
    NETWORK_KEY,
    PREDICTION_KEY,
    SegmenterCheckpoint,
    Which,
    read_segmenter,
)
from relief.schema.errors import ReliefError, UsageError

FORMAT_VERSION = 1


def export(trained: SegmenterCheckpoint, out: Path) -> None:
    """Writes one network as safetensors; equal networks give equal bytes.

    The metadata hold one sorted JSON string under `segmenter`: `classes` (category ids of `things`
    and `stuff` in the network's order), `network` (its class path and arguments), the fields of
    `LabelOrigin`, `version`. What `read_segmenter` reads, this file is too.

    Args:
        trained: What was read from a checkpoint.
        out: A path that ends in `.safetensors`.

    Raises:
        UsageError: `out` has another ending, or cannot be written.
    """
    if out.suffix != ".safetensors":
        msg = f"cannot write {out}: plain weights are safetensors. Name it {out.stem}.safetensors."
        raise UsageError(msg)
    told = {
        "version": FORMAT_VERSION,
        "classes": dataclasses.asdict(trained.classes),
        **dataclasses.asdict(trained.origin),
        NETWORK_KEY: dataclasses.asdict(trained.network) if trained.network else None,
        PREDICTION_KEY: dict(trained.prediction),
    }
    tensors = {name: trained.weights[name].contiguous().clone() for name in sorted(trained.weights)}
    try:
        write_bytes(out, save(tensors, metadata={METADATA_KEY: json.dumps(told, sort_keys=True)}))
    except WriteError as error:
        msg = f"{error} Use another file (--out FILE)."
        raise UsageError(msg) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code: 0, or 2 where something is missing or wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m relief.models.segmenters.export",
        description="Writes a trained network as plain weights.",
    )
    parser.add_argument("--checkpoint", type=Path, required=True, help="last.ckpt of train.py")
    parser.add_argument(
        "--which", choices=get_args(Which), help="of a self-training; the teacher unless given"
    )
    parser.add_argument("--out", type=Path, required=True, help="FILE.safetensors")
    options = parser.parse_args(arguments)
    try:
        export(read_segmenter(options.checkpoint, options.which), options.out)
    except ReliefError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    print(options.out)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
