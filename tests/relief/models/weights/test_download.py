from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from relief.models.weights.download import download
from relief.models.weights.formats import why_unreadable
from relief.schema.errors import WeightsError

CONTENT = bytes(range(256)) * 40
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(file_server):
    file_server.files["a.pth"] = CONTENT
    return file_server


def refusal(*arguments) -> str:
    with pytest.raises(WeightsError) as caught:
        download(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_downloads_whole_and_leaves_nothing_else(server, tmp_path):
    seen: list[tuple[int, int | None]] = []
    path = download(
        server.url("a.pth"), tmp_path / "new" / "a.pth", SHA256, lambda *now: seen.append(now)
    )
    assert path.read_bytes() == CONTENT
    assert [file.name for file in path.parent.iterdir()] == ["a.pth"]
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_goes_on_where_it_was_cut(server, tmp_path):
    server.cuts = [1000, 2000]
    download(server.url("a.pth"), tmp_path / "a.pth", SHA256)
    assert [wanted for _, wanted in server.requests] == [None, "bytes=1000-", "bytes=3000-"]


def test_cut_again_and_again_keeps_the_old_file_and_what_arrived(server, tmp_path):
    (tmp_path / "a.pth").write_bytes(b"old")
    server.cuts = [1000, 1000, 1000]
    text = refusal(server.url("a.pth"), tmp_path / "a.pth", SHA256)
    assert "3000 bytes arrived" in text
    assert (tmp_path / "a.pth").read_bytes() == b"old"
    server.requests.clear()
    download(server.url("a.pth"), tmp_path / "a.pth", SHA256)
    assert server.requests == [("/a.pth", "bytes=3000-")]
    assert (tmp_path / "a.pth").read_bytes() == CONTENT


def test_a_part_of_another_version_is_not_continued(server, tmp_path):
    server.cuts = [1000, 1000, 1000]
    refusal(server.url("a.pth"), tmp_path / "a.pth")
    server.files["a.pth"], server.version = CONTENT[::-1], '"2"'
    download(server.url("a.pth"), tmp_path / "a.pth")
    assert (tmp_path / "a.pth").read_bytes() == CONTENT[::-1]


def test_a_complete_part_whose_rename_never_came_is_finished(server, tmp_path):
    (tmp_path / "a.pth.part").write_bytes(CONTENT)
    (tmp_path / "a.pth.part.version").write_text(server.version)
    download(server.url("a.pth"), tmp_path / "a.pth", SHA256)
    assert (tmp_path / "a.pth").read_bytes() == CONTENT


def test_wrong_checksum_keeps_the_old_file_and_removes_the_new(server, tmp_path):
    (tmp_path / "a.pth").write_bytes(b"old")
    text = refusal(server.url("a.pth"), tmp_path / "a.pth", "cd" * 32)
    assert text.startswith(f"checksum of a.pth differs (got {SHA256[:12]}.., want cdcdcdcdcdcd..)")
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"a.pth": b"old"}


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="needs a disk that is full")
def test_a_full_disk_is_not_called_a_network(server, tmp_path):
    (tmp_path / "a.pth.part").symlink_to("/dev/full")
    text = refusal(server.url("a.pth"), tmp_path / "a.pth")
    assert text.startswith(f"cannot write: {tmp_path / 'a.pth'} (No space left on device). Check")


def test_what_arrived_must_pass_the_check(server, tmp_path):
    (tmp_path / "a.pth").write_bytes(b"old")
    url = server.url("a.pth")
    text = refusal(url, tmp_path / "a.pth", None, None, lambda part: f"{part.stat().st_size} bytes")
    assert text == (
        f"cannot use what arrived: a.pth (10240 bytes; from {url}). Run the same command again."
    )
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"a.pth": b"old"}
    download(url, tmp_path / "a.pth", check=lambda part: "")
    assert (tmp_path / "a.pth").read_bytes() == CONTENT


def test_a_cut_answer_without_a_length_is_no_weight_file(server, tmp_path):
    save_file({"a": torch.zeros(100)}, tmp_path / "whole.safetensors")
    server.files["a.safetensors"] = (tmp_path / "whole.safetensors").read_bytes()
    server.tells_length, server.cuts = False, [200]
    target = tmp_path / "new" / "a.safetensors"

    def check(part: Path) -> str:
        return why_unreadable(part, ".safetensors")

    assert "not fully covered" in refusal(server.url("a.safetensors"), target, None, None, check)
    assert list(target.parent.iterdir()) == []
    download(server.url("a.safetensors"), target, check=check)
    assert target.read_bytes() == server.files["a.safetensors"]


def test_web_pages_and_missing_files_are_told_in_a_line(server, tmp_path):
    assert "404" in refusal(server.url("b.pth"), tmp_path / "b.pth")
    server.content_type = "text/html; charset=utf-8"
    assert "a web page" in refusal(server.url("a.pth"), tmp_path / "a.pth")
    assert "cannot download" in refusal("http://127.0.0.1:9/a.pth", tmp_path / "a.pth")
    assert list(tmp_path.iterdir()) == []
