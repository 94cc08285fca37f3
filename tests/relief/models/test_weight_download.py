from __future__ import annotations

import hashlib

import pytest

from relief.models.weight_download import download
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


def test_web_pages_and_missing_files_are_told_in_a_line(server, tmp_path):
    assert "404" in refusal(server.url("b.pth"), tmp_path / "b.pth")
    server.content_type = "text/html; charset=utf-8"
    assert "a web page" in refusal(server.url("a.pth"), tmp_path / "a.pth")
    assert "cannot download" in refusal("http://127.0.0.1:9/a.pth", tmp_path / "a.pth")
    assert list(tmp_path.iterdir()) == []
