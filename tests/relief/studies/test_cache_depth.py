from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from relief.formats.depth_files import FolderDepth
from relief.models.weights.configured import needed_weights
from relief.schema.errors import ReadError
from relief.studies.cache_depth import cache_depth, main


class RowDepth(nn.Module):
    """Depth is the row, and how often it was asked is counted."""

    def __init__(self, far: float = 1.0) -> None:
        super().__init__()
        self.far = far
        self.asked = 0

    @property
    def description(self) -> dict[str, object]:
        return {"part": "RowDepth", "far": self.far}

    def setup(self) -> None:
        pass

    def relative_depth(self, image: Tensor, size: tuple[int, int]) -> Tensor:
        self.asked += 1
        assert image.dtype == torch.float32
        assert image.max() <= 1
        rows = torch.linspace(0, self.far, size[0])[None, None, :, None]
        return rows.expand(len(image), 1, *size)


@pytest.fixture
def images(tmp_path) -> dict[str, Path]:
    folder = tmp_path / "images"
    for key in ("a", "b/ü"):
        path = folder / f"{key}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((40, 60, 3), 255, np.uint8)).save(path)
    return {"a": folder / "a.png", "b/ü": folder / "b" / "ü.png"}


def test_writes_maps_that_the_reader_finds(tmp_path, images):
    assert cache_depth(RowDepth(), images, tmp_path / "depth", short_side_px=20) == {}
    reader = FolderDepth(tmp_path / "depth")
    depth = reader.read(reader.find("", "b/ü"))
    assert depth.shape == (1, 20, 30)
    assert torch.equal(depth, RowDepth().relative_depth(torch.zeros(1, 3, 1, 1), (20, 30))[0])


def test_makes_only_what_is_missing_or_damaged(tmp_path, images):
    model, out = RowDepth(), tmp_path / "depth"
    cache_depth(model, images, out, short_side_px=20)
    cache_depth(model, images, out, short_side_px=20)
    assert model.asked == 2
    whole = (out / "a.npy").read_bytes()
    (out / "a.npy").write_bytes(whole[:100])
    cache_depth(model, images, out, short_side_px=20)
    assert model.asked == 3
    assert (out / "a.npy").read_bytes() == whole


def test_unreadable_images_are_named_and_the_others_done(tmp_path, images):
    images["a"].write_bytes(b"no image")
    failures = cache_depth(RowDepth(), images, tmp_path / "depth", short_side_px=20)
    assert list(failures) == ["a"]
    assert (tmp_path / "depth" / "b" / "ü.npy").is_file()


class WideDepth(RowDepth):
    """Takes no strips."""

    def relative_depth(self, image: Tensor, size: tuple[int, int]) -> Tensor:
        if image.shape[-2] < 20:
            raise ReadError("too narrow")
        return super().relative_depth(image, size)


def test_images_that_the_model_cannot_take_are_named_and_the_others_done(tmp_path, images, capsys):
    Image.fromarray(np.zeros((10, 100, 3), np.uint8)).save(images["a"])
    config = tmp_path / "depth.yaml"
    config.write_text(f"class_path: {__name__}.WideDepth\n")
    code = main(
        [
            *("--depth", str(config), "--out", str(tmp_path / "depth"), "--device", "cpu"),
            *("--folder", str(tmp_path / "images")),
        ]
    )
    assert code == 1
    assert "error: 1 images without depth: a: too narrow" in capsys.readouterr().err
    assert not (tmp_path / "depth" / "a.npy").exists()
    assert (tmp_path / "depth" / "b" / "ü.npy").is_file()


def test_lines_and_whatever_a_model_raises_are_named_and_the_others_done(tmp_path, images):
    class Faulty(RowDepth):
        def relative_depth(self, image: Tensor, size: tuple[int, int]) -> Tensor:
            if image.min() == 0:
                raise KeyError("x")
            if image.shape[-1] == 50:
                return torch.full((1, 1, *size), torch.nan)
            return super().relative_depth(image, size)

    for name, side, value in (
        ("line", (3, 31), 255),
        ("dark", (40, 60), 0),
        ("nan", (40, 50), 255),
    ):
        images[name] = tmp_path / f"{name}.png"
        Image.fromarray(np.full((*side, 3), value, np.uint8)).save(images[name])
    failures = cache_depth(Faulty(), images, tmp_path / "depth", short_side_px=20)
    assert failures["line"].startswith("image is a line: line (3x31 px")
    assert failures["dark"] == "dark: KeyError ('x'). Leave the image out or replace it."
    assert failures["nan"].startswith("depth is not finite: Faulty")
    assert len(failures) == 3
    assert len(list((tmp_path / "depth").rglob("*.npy"))) == 2


def options(tmp_path: Path, far: float = 1.0) -> list[str]:
    config = tmp_path / f"depth_{far}.yaml"
    config.write_text(f"class_path: {__name__}.RowDepth\ninit_args:\n  far: {far}\n")
    return ["--depth", str(config), "--out", str(tmp_path / "depth"), "--device", "cpu"]


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, __name__, sys.modules[RowDepth.__module__])


def test_command_writes_a_cityscapes_split_and_what_made_it(tmp_path):
    path = tmp_path / "city/leftImg8bit/val/bonn/bonn_000000_000001_leftImg8bit.png"
    path.parent.mkdir(parents=True)
    Image.fromarray(np.zeros((32, 64, 3), np.uint8)).save(path)
    arguments = [*options(tmp_path), "--root", str(tmp_path / "city"), "--short_side_px", "16"]
    assert main(arguments) == 0
    reader = FolderDepth(tmp_path / "depth")
    found = reader.find("val", "bonn/bonn_000000_000001")
    assert reader.read(found).shape == (1, 16, 32)
    assert json.loads((tmp_path / "depth" / "val" / "depth.json").read_text())["far"] == 1.0


class LearnedDepth(RowDepth):
    """Says what it was learned from, and nothing else."""

    description = {}  # noqa: RUF012
    provenance = {"weights": {"w": "ab"}, "supervision": ("labels",), "notes": ()}  # noqa: RUF012


def test_what_a_model_was_learned_from_is_kept_beside_the_maps(tmp_path, images):
    config = tmp_path / "depth.yaml"
    config.write_text(f"class_path: {__name__}.LearnedDepth\n")
    arguments = ["--depth", str(config), "--out", str(tmp_path / "depth"), "--device", "cpu"]
    assert main([*arguments, "--folder", str(tmp_path / "images")]) == 0
    record = FolderDepth(tmp_path / "depth").made_by([""])
    assert record.pop("part").endswith(".LearnedDepth")
    assert record == {
        "weights": {"w": "ab"},
        "supervision": ["labels"],
        "notes": [],
        "short_side_px": 512,
    }


def test_command_refuses_to_mix_models(tmp_path, images, capsys):
    folder = ["--folder", str(tmp_path / "images")]
    assert main([*options(tmp_path), *folder]) == 0
    before = (tmp_path / "depth" / "a.npy").read_bytes()
    assert main([*options(tmp_path, 0.5), *folder]) == 2
    assert "made with another model" in capsys.readouterr().err
    assert (tmp_path / "depth" / "a.npy").read_bytes() == before
    assert main([*options(tmp_path, 0.5), *folder, "--overwrite", "true"]) == 0
    assert (tmp_path / "depth" / "a.npy").read_bytes() != before


def test_command_needs_one_folder(tmp_path, capsys):
    assert main(options(tmp_path)) == 2
    assert "--root or --folder" in capsys.readouterr().err
    assert main([*options(tmp_path), "--folder", str(tmp_path / "none")]) == 2
    assert "no such folder" in capsys.readouterr().err


CONFIGS = sorted((Path(__file__).parents[3] / "configs" / "depth").glob("*.yaml"))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_missing_weights_of_shipped_depth_configurations_are_told_before_anything_else(
    tmp_path, config, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    arguments = ["--depth", str(config), "--folder", str(tmp_path / "none"), "--out", "depth"]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: weights are missing: weights/")
    assert error.endswith(f" Run `python -m relief.models.weights get --config {config}`.\n")
    assert not (tmp_path / "depth").exists()
    sources = needed_weights(config)
    assert sources
    assert all(source is not None for source in sources.values())
