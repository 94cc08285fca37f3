from __future__ import annotations

import json

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from relief.formats.label_store import LabelStore
from relief.schema.errors import ReadError
from tests.conftest import draw_frame
from tests.label_runs import run_label

HERE = "tests.lightning_modules.test_pseudo_labeler"
NO_FILES = ("--data.init_args.depth", "null")


class Fussy(nn.Module):
    """Depth is the row; takes no image whose first pixel is bright, or none at all."""

    def __init__(self, brightest: float = 0.5, fault: bool = False) -> None:
        super().__init__()
        self.brightest, self.fault = brightest, fault

    def setup(self) -> None:
        pass

    def relative_depth(self, image: Tensor, size: tuple[int, int]) -> Tensor:
        if self.fault:
            raise RuntimeError("another device")
        if image[0, 0, 0, 0] > self.brightest:
            raise ReadError("depth network cannot take the image: too bright. Leave it out.")
        rows = torch.linspace(1, 0, size[0])
        return rows.view(1, 1, -1, 1).repeat(len(image), 1, 1, size[1])


def brighten(root, key: str, pixels: int = 1) -> None:
    (path,) = root.rglob(f"{key}_leftImg8bit.png")
    picture = Image.open(path).convert("RGB")
    for column in range(pixels):
        picture.putpixel((column, 0), (255, 255, 255))
    picture.save(path)


def test_an_image_that_the_depth_network_refuses_fails_alone(tiny_cityscapes, tmp_path, capsys):
    depth = (*NO_FILES, "--model.init_args.depth", f"{HERE}.Fussy")
    options = (*depth, "--model.init_args.depth.init_args.brightest", "0.95")
    assert run_label(tiny_cityscapes, tmp_path / "all", *options) == 0
    brighten(tiny_cityscapes, "bonn_000011_000019")
    brighten(tiny_cityscapes, "aachen_000001_000019")
    assert run_label(tiny_cityscapes, tmp_path / "out", *options) == 1
    assert "cannot label 1 of 3 images" in capsys.readouterr().err
    store = LabelStore(tmp_path / "out")
    assert store.keys == ["bonn/bonn_000010_000019", "bonn/bonn_000012_000019"]
    (reason,) = store.manifest.failures.values()
    assert reason == "depth network cannot take the image: too bright. Leave it out."
    log = (tmp_path / "out" / "log.txt").read_text()
    assert "not counted for things: aachen/aachen_000001_000019: depth network" in log
    skip = ("--data.init_args.on_error", "skip")
    assert run_label(tiny_cityscapes, tmp_path / "out", *options, *skip) == 0
    stop = ("--data.init_args.on_error", "stop")
    assert run_label(tiny_cityscapes, tmp_path / "out", *options, *stop) == 1


class OutOfOrder(Fussy):
    """Raises what no part has words for, or gives NaN, where the first pixel is bright."""

    errors = (MemoryError(), KeyError("x"))

    def relative_depth(self, image: Tensor, size: tuple[int, int]) -> Tensor:
        depth = super().relative_depth(image.clamp(max=self.brightest), size)
        if image[0, 0, 0, 0] > self.brightest:
            if image[0, 0, 0, 1] > self.brightest:
                raise self.errors[int(image[0, 0, 0, 2] > self.brightest)]
            depth[..., 0, 0] = torch.nan
        return depth


def test_whatever_one_image_meets_the_others_are_labelled(tiny_cityscapes, tmp_path, capsys):
    for number in (13, 14):
        draw_frame(tiny_cityscapes, "val", "bonn", number)
    for number, bright_pixels in ((11, 1), (12, 2), (13, 3)):
        brighten(tiny_cityscapes, f"bonn_0000{number}_000019", bright_pixels)
    depth = (*NO_FILES, "--model.init_args.depth", f"{HERE}.OutOfOrder")
    options = (*depth, "--model.init_args.depth.init_args.brightest", "0.95")
    out, key = tmp_path / "out", "bonn/bonn_0000{}_000019"
    assert run_label(tiny_cityscapes, out, *options) == 1
    store, leave = LabelStore(out), "Leave the image out or replace it."
    assert store.keys == [key.format(10), key.format(14)]
    assert store.manifest.failures[key.format(12)] == f"{key.format(12)}: out of memory. {leave}"
    assert store.manifest.failures[key.format(13)] == f"{key.format(13)}: KeyError ('x'). {leave}"
    assert store.manifest.failures[key.format(11)].startswith("depth is not finite: OutOfOrder")
    said = capsys.readouterr().err
    assert f"cannot label 3 of 5 images: {key.format(11)}: depth is not finite" in said
    assert f"; {key.format(12)}: out of memory. {leave}; {key.format(13)}: KeyError" in said
    assert "Traceback" in (out / "log.txt").read_text()


def test_a_network_that_fails_on_every_image_ends_the_run_with_the_reason(
    tiny_cityscapes, tmp_path, capsys
):
    depth = (*NO_FILES, "--model.init_args.depth", f"{HERE}.Fussy")
    options = (*depth, "--model.init_args.depth.init_args.fault", "true")
    assert run_label(tiny_cityscapes, tmp_path / "out", *options) == 1
    said = capsys.readouterr().err
    assert "no image was counted for things (aachen/" in said
    assert "RuntimeError (another device)" in said
    assert run_label(tiny_cityscapes, tmp_path / "fit") == 0
    codebook = ("--codebook", str(tmp_path / "fit/codebook.safetensors"))
    assert run_label(tiny_cityscapes, tmp_path / "given", *options, *codebook) == 1
    said = capsys.readouterr().err
    assert "error: cannot label 3 of 3 images: bonn/" in said
    assert said.count("RuntimeError (another device)") == 3


def test_a_splitter_without_the_depth_that_it_needs_stops_the_run_before_any_work(
    tiny_cityscapes, tmp_path, capsys
):
    assert run_label(tiny_cityscapes, tmp_path / "out", *NO_FILES) == 2
    assert capsys.readouterr().err.startswith(
        "error: DepthGradientSplitter needs depth: nothing gives it. Set --data.init_args.depth "
    )
    assert not (tmp_path / "out").exists()


def test_confidence_comes_from_the_parts_of_a_recipe(tiny_cityscapes, tmp_path, capsys):
    sure = ("--model.init_args.confidence", "configs/confidence/standing_things.yaml")
    assert run_label(tiny_cityscapes, tmp_path / "out", *sure) == 0
    store = LabelStore(tmp_path / "out")
    told = str(store.manifest.confidence).split(" x ")
    assert [name.rsplit(".", 1)[1] for name in told] == [
        *("NearestCluster", "ThingEvidence", "UpperEdge")
    ]
    panoptic, confidence = store.panoptic(store.keys[0]), store.confidence(store.keys[0])
    assert 0 < confidence[panoptic[..., 1] == 0].max() <= 1
    described = json.loads((tmp_path / "out" / "panoptic.json").read_text())["annotations"]
    assert all(0 <= one["score"] <= 1 for image in described for one in image["segments_info"])
    connected = ("--model.init_args.splitter", "relief.splitters.connected.ConnectedSplitter")
    assert run_label(tiny_cityscapes, tmp_path / "none", *sure, *NO_FILES, *connected) == 2
    assert "Product needs depth: nothing gives it" in capsys.readouterr().err


def test_other_seeds_and_the_mirror_image_are_asked(tiny_cityscapes, tmp_path):
    out, seeds = tmp_path / "out", tmp_path / "other" / "codebook.safetensors"
    assert run_label(tiny_cityscapes, tmp_path / "other") == 0
    product = {
        "class_path": "relief.models.confidence.product.Product",
        "init_args": {
            "parts": [
                {"class_path": "relief.models.confidence.mirror_agreement.MirrorAgreement"},
                {
                    "class_path": "relief.models.confidence.seed_agreement.SeedAgreement",
                    "init_args": {"codebooks": [str(seeds)]},
                },
            ]
        },
    }
    option = ("--model.init_args.confidence", json.dumps(product))
    assert run_label(tiny_cityscapes, out, *option) == 0
    store = LabelStore(out)
    assert "confidence/codebook_1" in store.manifest.weights
    assert str(tmp_path) not in store.manifest.to_json()
    assert (
        store.confidence(store.keys[0]).max() == 1
    )  # the same codebook, some of it mirrored alike


@pytest.mark.parametrize(("window_px", "fitting_px"), [(31, 30), (17, 16)])
def test_windows_that_cut_patches_stop_the_run_before_any_work(
    tiny_cityscapes, tmp_path, capsys, window_px, fitting_px
):
    option = "--model.init_args.geometry.init_args.window_px"
    assert run_label(tiny_cityscapes, tmp_path / "out", option, str(window_px)) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"error: windows of {window_px} px do not hold whole patches of 2 px: geometry. "
        f"Set {option} {fitting_px}."
    ]
    assert not (tmp_path / "out").exists()
