"""Faults 6 to 8, 10, 11 and 14 to 18: what is read, what is written, what is asked for."""

import ast
import os
import pickle
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch.utils.data import DataLoader, IterableDataset, SequentialSampler

from datamodules.items import ShardSampler, refuse_disorder
from relief.formats.files.atomic import is_temporary
from relief.formats.images import read_image
from relief.formats.label_store import LabelStore
from relief.models.weights.download import download
from relief.models.weights.files import load_state_dict, sha256_of
from relief.schema.errors import ReadError, UsageError, WeightsError
from tests.label_processes import Run, arguments, fault
from tests.label_runs import label_bytes

ROOT = Path(__file__).parent.parent.parent


def copy_of(seven, tmp_path):
    root = tmp_path / "cityscapes"
    shutil.copytree(seven, root)
    return root


@pytest.mark.faults
def test_no_images_is_told_before_anything_is_made(seven, tmp_path):
    root = copy_of(seven, tmp_path)
    shutil.rmtree(root / "leftImg8bit" / "val")
    code, said = Run(arguments(root, tmp_path / "out"), tmp_path / "log").finish()
    assert code == 2
    assert said.startswith("error: no images found: data.root=")
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.faults
@pytest.mark.parametrize(
    ("on_error", "expected", "labelled"), [("record", 1, 5), ("skip", 0, 5), ("stop", 1, 0)]
)
def test_unreadable_images(seven, tmp_path, on_error, expected, labelled):
    root = copy_of(seven, tmp_path)
    cut, page = sorted((root / "leftImg8bit" / "val").rglob("*.png"))[:2]
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    page.write_text("<html>not here</html>")
    out = tmp_path / "out"
    options = ("--data.init_args.on_error", on_error)
    code, said = Run(arguments(root, out, *options), tmp_path / "log").finish()
    assert code == expected, said
    assert len(list((out / "panoptic").rglob("*.png"))) == labelled
    if on_error == "stop":
        assert "error: cannot read image: " in said
        return
    assert "error: cannot label 2 of 7 images: bonn/bonn_000010_000019: " in said
    assert "--data.init_args.on_error skip" in said
    failures = LabelStore(out).manifest.failures
    assert len(failures) == 2
    assert "truncated" in failures["bonn/bonn_000010_000019"]


def test_half_a_jpeg_is_noticed_though_its_header_is_whole(tmp_path):
    path = tmp_path / "a.jpg"
    noise = torch.randint(0, 255, (64, 64, 3), dtype=torch.uint8).numpy()
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with Image.open(path) as image:
        image.verify()  # content
    with pytest.raises(ReadError, match="truncated"):
        read_image(path)


@pytest.mark.faults
def test_a_folder_of_another_configuration_is_left_alone(seven, tmp_path):
    out = tmp_path / "out"
    assert Run(arguments(seven, out), tmp_path / "log").finish()[0] == 0
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in out.rglob("*") if p.is_file()}
    options = ("--fitter.init_args.kmeans.init_args.k", "3")
    code, said = Run(arguments(seven, out, *options), tmp_path / "again").finish()
    assert code == 2
    line = f"error: {out} was made with k=4, this run has k=3"
    assert said.startswith(line)
    assert "Use another folder or --overwrite true." in said
    after = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in out.rglob("*") if p.is_file()}
    assert after == before


@pytest.mark.faults
def test_an_output_that_cannot_be_written_is_found_at_the_start(seven, tmp_path):
    (tmp_path / "file").write_text("in the way")
    code, said = Run(arguments(seven, tmp_path / "file" / "out"), tmp_path / "log").finish()
    assert code == 2
    assert said.startswith("error: cannot write ")
    assert len(said.splitlines()) == 1


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.faults
@pytest.mark.parametrize("free_pages", [4, 8, 12])
def test_a_full_disk(seven, uninterrupted, tmp_path, small_disk, free_pages):
    out = small_disk / "out"
    options = ("--evaluator.protocols", "[]")
    assert Run(arguments(seven, out, *options), tmp_path / "log").finish()[0] == 0
    labels = sorted((out / "panoptic").rglob("*.png"))
    for path in labels[1:]:
        path.unlink()
    filler = small_disk / "filler"
    free = shutil.disk_usage(small_disk).free
    filler.write_bytes(bytes(max(0, free - free_pages * 4096)))
    code, said = Run(arguments(seven, out, *options), tmp_path / "again").finish()
    if free_pages <= 8:
        assert code == 1, said
        assert "error: cannot write " in said
        assert "No space left on device" in said
        assert "Traceback" not in said
    assert not [path for path in small_disk.rglob("*") if is_temporary(path)]
    filler.unlink()
    code, said = Run(arguments(seven, out, *options), tmp_path / "last").finish()
    assert code == 0, said
    assert label_bytes(out) == uninterrupted


@pytest.mark.faults
def test_a_disk_that_fills_up_in_the_middle(seven, uninterrupted, tmp_path):
    out = tmp_path / "out"
    code, said = Run(arguments(seven, out, *fault("full", at=5)), tmp_path / "log").finish()
    assert code == 1, said
    assert f"error: cannot write {out}" in said
    assert "No space left on device." in said
    assert not [path for path in out.rglob("*") if is_temporary(path)]
    assert len(list((out / "panoptic").rglob("*.png"))) < 7
    assert Run(arguments(seven, out), tmp_path / "again").finish()[0] == 0
    assert label_bytes(out) == uninterrupted


class Stream(IterableDataset):
    def __iter__(self):
        return iter(range(3))


@pytest.mark.parametrize(
    ("loader", "got"),
    [
        (DataLoader(range(7), shuffle=True), "shuffle=True"),
        (DataLoader(Stream()), "an IterableDataset"),
        (DataLoader(range(7), sampler=SequentialSampler(range(7))), "the sampler Sequential"),
    ],
)
def test_disordered_data_are_refused(loader, got):
    with pytest.raises(UsageError) as refused:
        refuse_disorder(loader)
    line = f"label.py needs an ordered, map-style data set; got {got}"
    assert str(refused.value).startswith(line)
    refuse_disorder(DataLoader(range(7), sampler=ShardSampler(7, 0, 1)))


@pytest.mark.faults
def test_a_shuffled_data_module_is_refused_by_the_script(seven, tmp_path):
    options = ("--data.class_path", "tests.faults.parts.ShuffledCityscapes")
    code, said = Run(arguments(seven, tmp_path / "out", *options), tmp_path / "log").finish()
    assert code == 2
    line = "error: label.py needs an ordered, map-style data set; got shuffle=True. Remove it.\n"
    assert said == line


class Code:
    """Runs a command where it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


def refused_weights(path, sha256=None):
    with pytest.raises(WeightsError) as refused:
        load_state_dict(path, sha256)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_damaged_and_foreign_weights_are_told_in_a_line(tmp_path):
    path = tmp_path / "cause.pt"
    torch.save({"a": torch.zeros(9)}, path)
    line = refused_weights(path, "cd34" * 16)
    assert f"(sha256 {sha256_of(path)[:12]}.., expected cd34cd34cd34..)" in line
    path.write_bytes(path.read_bytes()[:400])
    assert refused_weights(path).endswith("Download it again.")
    path.write_text("<html>")
    assert refused_weights(path).endswith("Download it again.")
    marker = tmp_path / "ran"
    path.write_bytes(pickle.dumps({"a": Code(marker)}))
    assert refused_weights(path).startswith(f"{path} holds code, not only weights; not loaded. ")
    assert not marker.exists()


@pytest.mark.faults
def test_a_codebook_of_other_features_is_refused_by_the_script(seven, tmp_path):
    path = tmp_path / "book.safetensors"
    save_file({"centroids": torch.zeros(3, 9)}, path)
    given = arguments(seven, tmp_path / "out", "--codebook", str(path))
    code, said = Run(given, tmp_path / "log").finish()
    assert code == 2
    assert said.startswith("error: ")
    assert len(said.splitlines()) == 1


def test_no_archive_is_ever_unpacked():
    """So that no entry can leave its folder."""
    unpacking = {"extractall", "extract", "unpack_archive"}
    for folder in ("relief", "datamodules", "lightning_modules", "callbacks"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                    assert node.func.attr not in unpacking, f"{file}:{node.lineno}"


def test_a_download_with_a_wrong_checksum_keeps_the_old_file(tmp_path):
    source, target = tmp_path / "source", tmp_path / "folder" / "depth.safetensors"
    source.write_bytes(b"new")
    target.parent.mkdir()
    target.write_bytes(b"old")
    with pytest.raises(WeightsError, match=r"checksum of depth\.safetensors differs \(got .*want"):
        download(source.as_uri(), target, "cd34" * 16)
    assert {p.name: p.read_bytes() for p in target.parent.iterdir()} == {target.name: b"old"}
