from relief.formats.files.digest import content_digests, file_mark


def test_a_mark_tells_size_head_and_tail(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(bytes(20_000))
    mark = file_mark(path)
    assert mark.startswith("20000-")
    marks = {mark}
    for position in (0, 4095, 16_000, 19_999):
        changed = bytearray(20_000)
        changed[position] = 1
        path.write_bytes(changed)
        marks.add(file_mark(path))
    path.write_bytes(bytes(19_999))
    marks.add(file_mark(path))
    assert len(marks) == 6
    path.write_bytes(bytes(20_000))
    assert file_mark(path) == mark


def test_short_and_missing_files_have_marks_too(tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    assert file_mark(tmp_path / "empty").startswith("0-")
    assert file_mark(tmp_path / "gone") == ""


def test_digests_are_of_the_whole_content(tmp_path):
    for name, middle in (("a", 1), ("b", 2)):
        (tmp_path / name).write_bytes(bytes(9000) + bytes([middle]) + bytes(9000))
    (tmp_path / "folder").mkdir()
    paths = {name: tmp_path / name for name in ("b", "a", "gone", "folder")}
    digests = content_digests(paths)
    assert list(digests) == ["a", "b"]
    assert digests["a"] != digests["b"]
