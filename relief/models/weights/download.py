"""Downloads that appear whole or not at all, and go on where they were cut."""

from __future__ import annotations

import contextlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from relief.formats.files.atomic import take_name, write_text
from relief.models.weights.files import sha256_of
from relief.schema.errors import WeightsError

Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all where known
Check = Callable[[Path], str]  # why what arrived cannot be used; empty where it can
_BLOCK = 1 << 20
_TIMEOUT_S = 60
_ATTEMPTS = 3


class DownloadError(WeightsError):
    """The file cannot be had from its address; a person may bring it."""


def download(
    url: str,
    path: Path,
    sha256: str | None = None,
    progress: Progress | None = None,
    check: Check | None = None,
) -> Path:
    """Downloads one file.

    What has arrived is kept beside it as `NAME.part` and continued by the next call, unless the
    server's file changed meanwhile. The file takes its name when all of it is there; one that was
    there before stays until then.

    Args:
        url: Where from.
        path: Where to.
        sha256: What it must hash to; `None` checks its length only.
        progress: Called after every block.
        check: Looks at what arrived before it takes its name: servers that do not tell the length
            of a file cannot be believed to have sent all of it.

    Raises:
        WeightsError: Not reachable, not a file, cut again and again, another checksum, refused by
            `check`, or it cannot be written.
    """
    with writing(path):
        return _download(url, path, sha256, progress, check)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns what the file system refuses inside into a line.

    Raises:
        WeightsError: In place of an `OSError`.
    """
    try:
        yield
    except OSError as error:
        msg = (
            f"cannot write: {path} ({error.strerror or error}). Check its folder, and the space on "
            "that disk."
        )
        raise WeightsError(msg) from error


def _download(
    url: str, path: Path, sha256: str | None, progress: Progress | None, check: Check | None
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    for attempt in range(_ATTEMPTS):
        if _fetch(url, part, progress):
            break
        if attempt == _ATTEMPTS - 1:
            arrived = part.stat().st_size if part.is_file() else 0
            msg = (
                f"download cut: {path.name} ({arrived} bytes arrived from {url}). "
                "Run the same command again to go on."
            )
            raise WeightsError(msg)
    if sha256 is not None and (actual := sha256_of(part)) != sha256:
        _discard(part)
        msg = (
            f"checksum of {path.name} differs (got {actual[:12]}.., want {sha256[:12]}..). "
            "Nothing was replaced."
        )
        raise WeightsError(msg)
    if check is not None and (reason := check(part)):
        _discard(part)
        msg = (
            f"cannot use what arrived: {path.name} ({reason}; from {url}). Run the same command "
            "again."
        )
        raise DownloadError(msg)
    take_name(part, path)
    _version_of(part).unlink(missing_ok=True)
    return path


def _fetch(url: str, part: Path, progress: Progress | None) -> bool:
    """Continues a part; returns whether all of it is there."""
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "relief"})
    version = _version_of(part)
    if have and version.is_file():
        request.add_header("Range", f"bytes={have}-")
        request.add_header("If-Range", version.read_text())
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            _discard(part)
            return False  # the next attempt starts anew
        raise _unreachable(url, f"{error.code} {error.reason}") from error
    except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
        raise _unreachable(url, str(getattr(error, "reason", error))) from error
    with response:
        return _receive(response, part, have, progress)


def _receive(
    response: http.client.HTTPResponse, part: Path, have: int, progress: Progress | None
) -> bool:
    if response.headers.get_content_type() == "text/html":
        raise _unreachable(response.url, "a web page, not a file")
    if response.status != http.client.PARTIAL_CONTENT:
        have = 0
    length = response.headers.get("Content-Length")
    total = have + int(length) if length is not None else None
    version = response.headers.get("ETag") or response.headers.get("Last-Modified")
    if version and not version.startswith("W/"):
        write_text(_version_of(part), version)
    else:
        _version_of(part).unlink(missing_ok=True)
    with part.open("ab" if have else "wb") as file:
        while block := _next_block(response):
            file.write(block)
            have += len(block)
            if progress is not None:
                progress(have, total)
    return block is not None and (total is None or have == total)


def _next_block(response: http.client.HTTPResponse) -> bytes | None:
    """Empty at the end, `None` where the connection broke. Errors of the disk are not caught."""
    try:
        return response.read(_BLOCK)
    except (http.client.IncompleteRead, ConnectionError, TimeoutError):
        return None
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(response.url, str(error)) from error


def _version_of(part: Path) -> Path:
    """Remembers which version of the server's file a part belongs to."""
    return part.with_name(part.name + ".version")


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _version_of(part).unlink(missing_ok=True)


def _unreachable(url: str, reason: str) -> DownloadError:
    return DownloadError(f"cannot download: {url} ({reason}). Check the network.")
