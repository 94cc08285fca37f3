import os

import cv2
import numpy as np
import pytest
import torch

from relief.formats.images import read_image
from relief.ops.resize import resize_image
from relief.studies.cache_images import main


@pytest.fixture
def photographs(tmp_path):
    """A large photograph, a small one, and one that cannot be read."""
    folder = tmp_path / "photographs" / "town"
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    cv2.imwrite(str(folder / "large.jpg"), random.integers(0, 255, (40, 90, 3)).astype(np.uint8))
    cv2.imwrite(str(folder / "small.png"), random.integers(0, 255, (8, 12, 3)).astype(np.uint8))
    return folder.parent


def copied(photographs, out, *options):
    given = ["--folder", str(photographs), "--out", str(out), "--short_side_px", "20"]
    return main([*given, *options])


def test_copies_are_the_photographs_as_the_pipeline_resizes_them(photographs, tmp_path):
    out = tmp_path / "copies"
    assert copied(photographs, out) == 0
    large, small = (read_image(next(photographs.rglob(f"{name}.*"))) for name in ("large", "small"))
    assert torch.equal(read_image(out / "town/large.png"), resize_image(large[None], (20, 45))[0])
    assert torch.equal(read_image(out / "town/small.png"), small)


def test_copies_that_are_there_stay_and_old_or_damaged_ones_are_made_again(photographs, tmp_path):
    out = tmp_path / "copies"
    assert copied(photographs, out) == 0
    large, small = out / "town/large.png", out / "town/small.png"
    made, content = large.stat().st_mtime_ns, small.read_bytes()
    small.write_bytes(content[: len(content) // 2])
    assert copied(photographs, out) == 0
    assert large.stat().st_mtime_ns == made
    assert small.read_bytes() == content
    os.utime(photographs / "town/large.jpg", ns=(made + 10**9, made + 10**9))
    assert copied(photographs, out) == 0
    assert large.stat().st_mtime_ns > made


def test_a_tree_of_cityscapes_stays_one(tiny_cityscapes, tmp_path):
    options = ["--root", str(tiny_cityscapes), "--split", "val", "--short_side_px", "16"]
    assert main([*options, "--out", str(tmp_path / "small")]) == 0
    of = tiny_cityscapes / "leftImg8bit" / "val"
    names = {path.relative_to(of) for path in of.rglob("*.png")}
    to = tmp_path / "small" / "leftImg8bit" / "val"
    assert {path.relative_to(to) for path in to.rglob("*.png")} == names


def test_wrong_use_and_unreadable_images_are_told(photographs, tmp_path, capsys):
    assert copied(photographs, photographs) == 2
    assert "copies would lie among their photographs" in capsys.readouterr().err
    (photographs / "town/broken.jpg").write_bytes(b"no image")
    assert copied(photographs, tmp_path / "copies") == 1
    assert "error: 1 images without a copy: town/broken: " in capsys.readouterr().err
    assert (tmp_path / "copies/town/large.png").is_file()
