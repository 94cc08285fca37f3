"""Memory does not grow with the number of images."""

import shutil
from pathlib import Path

import pytest

from tests.label_processes import Run, arguments

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


def copies(seven, root, count):
    """A tree with so many val images, all the same one, without ground truth."""
    shutil.copytree(seven / "leftImg8bit" / "train", root / "leftImg8bit" / "train")
    shutil.copytree(seven / "depth", root / "depth")
    image = next((seven / "leftImg8bit" / "val").rglob("*.png"))
    depth = next((seven / "depth" / "val").rglob("*.npy"))
    for number in range(count):
        stem = f"bonn_{number:06d}_000020"
        for source, target in (
            (image, root / "leftImg8bit" / "val" / "many" / f"{stem}_leftImg8bit.png"),
            (depth, root / "depth" / "val" / "many" / f"{stem}.npy"),
        ):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(source)


def peak_megabytes(seven, folder, count):
    """The most memory that a run over so many images ever had."""
    root, peak = folder / "cityscapes", folder / "peak.txt"
    copies(seven, root, count)
    options = (
        "--trainer.callbacks+=tests.faults.parts.PeakMemory",
        f"--trainer.callbacks.path={peak}",
    )
    given = arguments(root, folder / "out", *options)
    code, said = Run(given, folder / "log").finish(600)
    assert code == 0, said
    assert len(list(Path(folder / "out" / "panoptic").rglob("*.png"))) == count
    return float(peak.read_text())


def test_2000_images_take_no_more_memory_than_200(seven, tmp_path):
    few = peak_megabytes(seven, tmp_path / "few", 200)
    many = peak_megabytes(seven, tmp_path / "many", 2000)
    print(f"peak: {few:.0f} MB with 200 images, {many:.0f} MB with 2000")
    assert many < few + 30
