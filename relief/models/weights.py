"""The weights of a configuration: what it needs, where that comes from, and getting it.

python -m relief.models.weights list [--config FILE]
python -m relief.models.weights get --config FILE
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from relief.models.configured_weights import is_present, needed_weights
from relief.models.weight_download import download
from relief.models.weight_files import convert, sha256_of
from relief.models.weight_sources import SOURCES, WeightSource
from relief.schema.errors import ReliefError, WeightsError

RECORD_SUFFIX = ".source.json"


def is_damaged(path: Path) -> bool:
    """Whether a file is no longer what `get` recorded of it."""
    recorded = _recorded(path).get("sha256")
    return path.is_file() and recorded is not None and recorded != sha256_of(path)


def get(path: Path, source: WeightSource, console: Console | None = None) -> None:
    """Downloads what is missing, converts it, and records size and checksum beside it.

    Where a record is there already, the published file must have its checksum. A file that a
    person put there under its published suffix is converted, not downloaded again.

    Raises:
        WeightsError: It cannot be downloaded, or holds code.
    """
    console = console or Console(stderr=True)
    if source.files:
        for name, url in source.files.items():
            if not (path / name).is_file() or is_damaged(path / name):
                _download(url, path / name, _recorded(path / name).get("sha256"), console)
                _record(path / name, {"url": url}, source, console)
        return
    original = _original(path, source)
    record: dict[str, object] = {"url": source.url}
    is_own = original != path and original.is_file()
    if not is_own:
        if not source.url:
            msg = f"cannot download: {path}. {source.by_hand[:1].upper()}{source.by_hand[1:]}."
            raise WeightsError(msg)
        try:
            name = "sha256" if original == path else "published_sha256"
            _download(source.url, original, _recorded(path).get(name), console)
        except WeightsError as error:
            if not source.by_hand:
                raise
            msg = f"{error} By hand: {source.by_hand}, and put it at {original}."
            raise WeightsError(msg) from error
    if original != path:
        record |= {"published_size_bytes": original.stat().st_size}
        record |= {"published_sha256": sha256_of(original)}
        try:
            convert(original, path)
        finally:
            if not is_own:
                original.unlink()
    _record(path, record, source, console)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code: 0, or 2 where something is missing or wrong."""
    options = _parser().parse_args(arguments)
    try:
        return _list(options.config) if options.command == "list" else _get(options.config)
    except ReliefError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2


def _list(config: str | None) -> int:
    console = Console(soft_wrap=True, highlight=False)
    rows = (
        needed_weights(Path(config), SOURCES)
        if config
        else {f"weights/{s.name}": s for s in SOURCES}
    )
    for name, source in rows.items():
        state = "present" if is_present(Path(name), source) else "missing"
        console.print(f"{name}   {state}" if config else name, style="bold")
        if source is None:
            console.print("  source       not known: made by a run of yours, or got by hand")
            continue
        console.print(f"  source       {source.addresses[0] if source.addresses else 'none'}")
        if source.by_hand:
            console.print(f"  by hand      {source.by_hand}")
        console.print(f"  license      {source.license}")
        console.print(f"  supervision  {source.supervision}")
    if not rows:
        console.print(f"{config} needs no weight files.")
    return 0


def _get(config: str) -> int:
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    failed = 0
    for name, source in needed_weights(Path(config), SOURCES).items():
        if is_present(Path(name), source) and not any(map(is_damaged, _files(Path(name), source))):
            console.print(f"{name} is there")
            continue
        try:
            if source is None:
                raise WeightsError(f"no source is known: {name}. Put the file there.")
            get(Path(name), source, console)
        except ReliefError as error:
            failed += 1
            console.print(f"error: {error}", markup=False)
    return 2 if failed else 0


def _files(path: Path, source: WeightSource | None) -> list[Path]:
    return [path / name for name in source.files] if source and source.files else [path]


def _download(url: str, path: Path, sha256: str | None, console: Console) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TransferSpeedColumn(), console=console) as bars:
        task = bars.add_task(path.name, total=None)
        download(
            url,
            path,
            sha256,
            progress=lambda arrived, total: bars.update(task, completed=arrived, total=total),
        )


def _record(path: Path, record: dict[str, object], source: WeightSource, console: Console) -> None:
    size, sha256 = path.stat().st_size, sha256_of(path)
    content = {
        **record,
        "size_bytes": size,
        "sha256": sha256,
        "license": source.license,
        "supervision": source.supervision,
    }
    target = path.with_name(path.name + RECORD_SUFFIX)
    target.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    console.print(f"{path}   {size} bytes   sha256 {sha256}")


def _recorded(path: Path) -> dict[str, str]:
    """What `get` wrote about a file; empty where it wrote nothing."""
    try:
        return json.loads(path.with_name(path.name + RECORD_SUFFIX).read_text())
    except (OSError, ValueError):
        return {}


def _original(path: Path, source: WeightSource) -> Path:
    """The published file beside the converted one; the same where nothing is converted."""
    if path.suffix != ".safetensors":
        return path
    candidates = [path.with_suffix(suffix) for suffix in (".pth", ".npy", ".npz", ".pt")]
    by_hand = [candidate for candidate in candidates if candidate.is_file()]
    return by_hand[0] if by_hand else path.with_suffix(source.suffix)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m relief.models.weights", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    shown = commands.add_parser("list", help="what is needed, from where, under which license")
    shown.add_argument("--config", help="without it: everything that is known")
    wanted = commands.add_parser("get", help="download and convert what is missing")
    wanted.add_argument("--config", required=True)
    return parser


if __name__ == "__main__":
    sys.exit(main())
