"""One weight on the disk: whether it is whole, where it came from, and getting it."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from relief.formats.files.atomic import write_text
from relief.models.weights.configured import is_on_disk
from relief.models.weights.download import DownloadError, download, writing
from relief.models.weights.files import (
    RECORD_SUFFIX,
    check_recorded,
    convert,
    record_of,
    sha256_of,
)
from relief.models.weights.formats import why_unreadable
from relief.models.weights.sources import WeightSource
from relief.schema.errors import WeightsError

PUBLISHED_SUFFIXES = (".pth", ".npy", ".npz", ".pt")
State = Literal["present", "missing", "damaged"]


def state_of(path: Path, source: WeightSource | None) -> State:
    """Whether a file, or all files of a folder, are there and whole.

    Where `get` recorded a checksum that must fit; other files are looked into.

    Args:
        path: A file or folder; of a folder whose source is not known only that it is there.
        source: Where it comes from, if that is known.
    """
    if source is None and not path.is_file():
        return "present" if is_on_disk(str(path), None) else "missing"
    files = [path / name for name in source.files] if source and source.files else [path]
    states = [_state_of_file(file) for file in files]
    if "missing" in states:
        return "missing"
    return "damaged" if "damaged" in states else "present"


def get(path: Path, source: WeightSource, console: Console | None = None) -> None:
    """Downloads what is missing or damaged, converts it, and records size and checksum beside it.

    Where a record is there already, the published file must have its checksum. A file that a
    person put there is converted, not downloaded again: under our name with its published suffix,
    or under its published name.

    Raises:
        WeightsError: It cannot be downloaded or written, or holds code.
    """
    console = console or Console(stderr=True)
    with writing(path):
        if not source.files:
            _get_file(path, source, console)
        for name, url in source.files.items():
            file = path / name
            if _state_of_file(file) != "present":
                _download(url, file, record_of(file).get("sha256"), console)
                _record(file, {"url": url}, source, console)


def pin(path: Path, source: WeightSource, console: Console) -> None:
    """Records size and checksum of files that are there and have no record yet.

    Raises:
        WeightsError: A record cannot be read or written.
    """
    with writing(path):
        for file in [path / name for name in source.files] or [path]:
            if not record_of(file):
                _record(file, {}, source, console)


def _state_of_file(file: Path) -> State:
    if not file.is_file():
        return "missing"
    recorded = record_of(file).get("sha256")
    is_whole = not why_unreadable(file) if recorded is None else recorded == sha256_of(file)
    return "present" if is_whole else "damaged"


def _get_file(path: Path, source: WeightSource, console: Console) -> None:
    original = _original(path, source)
    record: dict[str, object] = {"url": source.url}
    is_own = original != path and original.is_file()
    if not is_own:
        _download_original(path, original, source, console)
    if original != path:
        check_recorded(path, "published_sha256", sha256_of(original), original)
        record |= {"published_size_bytes": original.stat().st_size}
        record |= {"published_sha256": sha256_of(original)}
        try:
            convert(original, path)
        finally:
            if not is_own:
                original.unlink()
    _record(path, record, source, console)


def _download_original(path: Path, original: Path, source: WeightSource, console: Console) -> None:
    by_hand = f"{source.by_hand or f'download {source.url}'}, and put it at {original}."
    if not source.url:
        msg = f"cannot download: {path}. {by_hand[:1].upper()}{by_hand[1:]}"
        raise WeightsError(msg)
    try:
        name = "sha256" if original == path else "published_sha256"
        _download(source.url, original, record_of(path).get(name), console)
    except DownloadError as error:
        msg = f"{error} By hand: {by_hand}"
        raise WeightsError(msg) from error


def _download(url: str, path: Path, sha256: str | None, console: Console) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TransferSpeedColumn(), console=console) as bars:
        task = bars.add_task(path.name, total=None)
        download(
            url,
            path,
            sha256,
            progress=lambda arrived, total: bars.update(task, completed=arrived, total=total),
            check=lambda part: why_unreadable(part, path.suffix),
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
    write_text(target, json.dumps(content, indent=1, sort_keys=True) + "\n")
    console.print(f"{path}   {size} bytes   sha256 {sha256}")


def _original(path: Path, source: WeightSource) -> Path:
    """The published file beside the converted one; the same where nothing is converted."""
    if path.suffix != ".safetensors":
        return path
    candidates = [path.with_suffix(suffix) for suffix in PUBLISHED_SUFFIXES]
    published = PurePosixPath(source.url)
    if published.suffix in PUBLISHED_SUFFIXES:
        candidates.append(path.with_name(published.name))
    by_hand = [candidate for candidate in candidates if candidate.is_file()]
    return by_hand[0] if by_hand else path.with_suffix(source.suffix)
