from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from relief.formats.files.atomic import (
    WriteError,
    check_writable,
    is_temporary,
    remove_temporaries,
    write_array,
    write_bytes,
    write_text,
)
from relief.schema.errors import ReliefError, UsageError


def test_a_file_is_written_and_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "new/folder/x.png"
    write_bytes(path, b"one")
    write_bytes(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    write_bytes(tmp_path / ("ü" * 127), b"x")
    assert len(list(tmp_path.iterdir())) == 1


def test_text_of_undecodable_names(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "ü\udcff")
    assert (tmp_path / "a").read_text() == "ü\\udcff"


def test_a_full_disk_is_one_line_and_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.png"
    write_bytes(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WriteError) as caught:
        write_bytes(path, b"new")
    assert str(caught.value) == f"cannot write {path}: No space left on device."
    assert isinstance(caught.value, ReliefError)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interruption_leaves_no_temporary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_bytes(tmp_path / "x", b"")
    assert not list(tmp_path.iterdir())


def test_only_stale_temporaries_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []
    monkeypatch.setattr(Path, "replace", lambda self, target: names.append(self.name))
    write_bytes(tmp_path / "deep/x.png", b"half")
    (left,) = (tmp_path / "deep").iterdir()
    assert left.name == names[0]
    assert is_temporary(left)
    for name in ("a.tmp", ".a.tmp", "x.png", ".0123456789abcdef.tmp"):
        (tmp_path / name).write_bytes(b"")
    assert remove_temporaries(tmp_path) == 1
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 4


def test_an_output_that_cannot_be_written_is_found_at_the_start(tmp_path: Path) -> None:
    check_writable(tmp_path / "new")
    assert not list((tmp_path / "new").iterdir())
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match=f"cannot write {tmp_path / 'file/out'}: Not a directory"):
        check_writable(tmp_path / "file/out")


WRITER = """
import sys
from pathlib import Path
from relief.formats.files.atomic import write_bytes
content = Path(sys.argv[2]).read_bytes()
print("ready", flush=True)
while True:
    for number in range(4):
        write_bytes(Path(sys.argv[1]) / f"{number}.png", content)
"""


@pytest.mark.faults
def test_a_killed_writer_leaves_no_partial_file(tmp_path: Path) -> None:
    delays, content = random.Random(0), random.Random(1).randbytes(1_000_000)
    source, out = tmp_path / "content", tmp_path / "out"
    source.write_bytes(content)
    out.mkdir()
    for _ in range(100):
        command = [sys.executable, "-c", WRITER, str(out), str(source)]
        root = Path(__file__).parents[3]
        with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(delays.uniform(0.0, 0.05))
            writer.kill()
        for path in out.iterdir():
            assert is_temporary(path) or path.read_bytes() == content
    remove_temporaries(out)
    assert not list(out.glob(".*"))


def test_arrays_come_back_and_appear_whole(tmp_path):
    path = tmp_path / "new" / "a.npy"
    write_array(path, np.arange(6, dtype=np.float16).reshape(2, 3))
    read = np.load(path, allow_pickle=False)
    assert read.dtype == np.float16
    assert read.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert [child.name for child in path.parent.iterdir()] == ["a.npy"]
