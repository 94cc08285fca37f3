from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datamodules.invalid_depth import report_invalid_depth
from datamodules.items import Item
from relief.formats.depth_files import CityscapesDisparity, FolderDepth
from tests.label_runs import run_label

DISPARITY = "relief.formats.depth_files.CityscapesDisparity"


def items(folder: Path, *unknown_columns: int) -> list[Item]:
    """16-bit files of 2x8 pixels with some columns of zeros."""
    made = []
    for number, columns in enumerate(unknown_columns):
        values = np.full((2, 8), 500, np.uint16)
        values[:, :columns] = 0
        path = folder / f"{number:03d}_disparity.png"
        Image.fromarray(values).save(path)
        made.append(Item(f"{number:03d}", Path("image.png"), "image.png", str(path)))
    return made


@pytest.fixture
def said(caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("relief"), "propagate", True)  # a run stops that
    caplog.set_level(logging.INFO, "relief")
    return caplog


def test_the_mean_share_is_said(tmp_path, said):
    read = items(tmp_path, 2, 0, 4)
    (tmp_path / "001_disparity.png").write_bytes(b"no picture")
    missing = Item("x", Path("x.png"), "x.png", None)
    report_invalid_depth(CityscapesDisparity(tmp_path), [*read, missing])
    assert said.messages == [
        "depth: 37.5 % of the pixels are unknown and take the nearest known one's (in 2 files)"
    ]


def test_no_more_than_twenty_files_are_looked_at(tmp_path, said):
    report_invalid_depth(CityscapesDisparity(tmp_path), items(tmp_path, *[4] * 25))
    assert said.messages[0].endswith("(in 20 files)")


def test_where_all_is_known_nothing_is_said(tmp_path, said):
    report_invalid_depth(CityscapesDisparity(tmp_path), items(tmp_path, 0, 0))
    report_invalid_depth(FolderDepth(tmp_path), items(tmp_path, 4, 4))
    report_invalid_depth(None, [])
    assert said.messages == []


def test_a_run_with_disparity_says_it(tiny_cityscapes, tmp_path):
    for path in (tiny_cityscapes / "depth").rglob("*.npy"):
        disparity = (256 / np.load(path) + 1).astype(np.uint16)
        disparity[:, :16] = 0  # of 64
        Image.fromarray(disparity).save(path.with_name(f"{path.stem}_disparity.png"))
    depth = ("--data.init_args.depth", DISPARITY)
    root = ("--data.init_args.depth.init_args.root", str(tiny_cityscapes / "depth"))
    assert run_label(tiny_cityscapes, tmp_path / "out", *depth, *root) == 0
    assert "depth: 25.0 % of the pixels are unknown" in (tmp_path / "out" / "log.txt").read_text()
