"""Runs of `label.py` in this process, and what they leave behind."""

from pathlib import Path

import cli
import label

TINY = Path(__file__).parent / "configs" / "label" / "tiny.yaml"
LABELS = ("manifest.json", "codebook.safetensors", "panoptic.json", "semantic/", "panoptic/")


def run_label(root: Path, out: Path, *options: str) -> int:
    """Labels a tiny Cityscapes tree; returns the exit code."""
    arguments = [
        *("--config", str(TINY), "--out", str(out)),
        *("--data.init_args.root", str(root)),
        *("--data.init_args.depth.init_args.root", str(root / "depth")),
        *options,
    ]
    return cli.exit_code(label.main, arguments)


def label_bytes(out: Path) -> dict[str, bytes]:
    """The bytes of the labels (not of what was seen about them), by path below OUT."""
    files = {p.relative_to(out).as_posix(): p for p in out.rglob("*") if p.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if name.startswith(LABELS)}
