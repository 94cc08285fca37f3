import os
import unicodedata

from relief.formats.files.folders import AlikeFiles, walk_files


def lay(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def found(root, **options):
    return sorted(path.relative_to(root).as_posix() for path in walk_files(root, **options))


def test_links_are_followed_once_and_circles_end(tmp_path):
    lay(tmp_path, "disk/a/1.png", "tree/b/2.png")
    (tmp_path / "tree" / "a").symlink_to(tmp_path / "disk" / "a")
    (tmp_path / "tree" / "b" / "up").symlink_to(tmp_path / "tree")
    assert found(tmp_path / "tree") == ["a/1.png", "b/2.png"]


def test_a_link_beside_what_it_leads_to_changes_no_path(tmp_path):
    lay(tmp_path, "z/deep/1.png", "m/2.png")
    (tmp_path / "a").symlink_to(tmp_path / "z" / "deep")
    (tmp_path / "z" / "b").symlink_to(tmp_path / "m")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert found(tmp_path) == ["gone", "m/2.png", "z/deep/1.png"]


def test_what_other_systems_leave_is_passed_over(tmp_path):
    lay(tmp_path, "a.png", "._a.png", ".hidden/b.png", "c/.DS_Store", "c/d.png")
    lay(tmp_path, "@eaDir/a.png/thumbnail.png", "c/$RECYCLE.BIN/e.png")
    assert found(tmp_path) == ["a.png", "c/d.png"]
    assert found(tmp_path, enters=lambda folder, name: name != "c") == ["a.png"]


def test_folders_that_cannot_be_listed_are_noted(tmp_path, monkeypatch):
    lay(tmp_path, "a.png", "b/c.png")
    scandir = os.scandir

    def refused(path):
        if str(path).endswith("b"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    unlisted = []
    assert found(tmp_path, unlisted=unlisted) == ["a.png"]
    assert [error.filename for error in unlisted] == [str(tmp_path / "b")]
    assert found(tmp_path / "gone") == []


def test_files_are_found_under_names_that_other_systems_write_alike(tmp_path):
    composed, apart = (unicodedata.normalize(form, "Köln") for form in ("NFC", "NFD"))
    lay(tmp_path, f"{apart}/{apart}.NPY", "b.png")
    files = AlikeFiles()
    assert files.find(tmp_path / composed / f"{composed}.npy") == tmp_path / apart / f"{apart}.NPY"
    assert files.find(tmp_path / "b.png") == tmp_path / "b.png"
    assert files.find(tmp_path / "B.png") is None
    assert files.find(tmp_path / "none" / "b.png") is None
