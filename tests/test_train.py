"""`train.py` as a user types it, on scenes of a few pixels."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml

import cli
import train
from lightning_modules.panoptic_segmenter import PanopticSegmenter
from relief.formats.files.lock import started, this_process
from relief.samples.draw import draw_sample

SHADES = {7: (90, 60, 90), 23: (200, 160, 90), 26: (30, 40, 160)}  # road, sky, car


def draw_city(root, split, names, seed=0):
    """Sky over road with two cars each, as Cityscapes lays it out."""
    random = np.random.default_rng(seed)
    for name in names:
        ids = np.full((64, 128), 7, dtype=np.uint16)
        ids[:24] = 23
        for number, left in enumerate((random.integers(2, 40), random.integers(60, 90))):
            ids[20:50, left : left + 30] = 26000 + number
        label = np.where(ids >= 1000, ids // 1000, ids)
        image = np.zeros((64, 128, 3))
        for label_id, shade in SHADES.items():
            image[label == label_id] = shade
        image = (image + random.normal(0, 8, image.shape)).clip(0, 255).astype(np.uint8)
        city = name.split("_")[0]
        for kind in ("leftImg8bit", "gtFine"):
            (root / kind / split / city).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png"), image)
        ground_truth = root / "gtFine" / split / city / f"{name}_gtFine"
        cv2.imwrite(f"{ground_truth}_instanceIds.png", ids)
        cv2.imwrite(f"{ground_truth}_labelIds.png", label.astype(np.uint8))


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """A tiny recipe on a tiny data set: (YAML file, data set)."""
    root = tmp_path_factory.mktemp("city")
    draw_city(root, "train", [f"a_{n:06d}_000019" for n in range(5)])
    draw_city(root, "val", [f"b_{n:06d}_000019" for n in range(3)], seed=9)
    numbers = {
        "backbone": {
            "class_path": "relief.models.segmenters.resnet_pyramid.SmallResNetPyramid",
            "init_args": {"widths": [32, 64, 96, 128], "width": 32},
        },
        "anchor_sizes_px": [8, 16, 32, 48, 64], "anchors_kept": [100, 50],
        "proposals_kept": [60, 30], "regions_per_image": 32, "box_width": 32, "mask_layers": 1,
        "mask_width": 16, "semantic_width": 32, "roi_sampling_ratio": 1,
    }  # fmt: skip
    network = {
        "class_path": "relief.models.segmenters.panoptic_cascade.PanopticCascade",
        "init_args": numbers,
    }
    augmentation = "relief.models.augmentations"
    config = {
        "model": {
            "class_path": "lightning_modules.panoptic_segmenter.PanopticSegmenter",
            "init_args": {
                "network": network,
                "optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 2e-3}},
                "augmentations": [
                    {
                        "class_path": f"{augmentation}.flip_and_crop.FlipAndCrop",
                        "init_args": {"size": [64, 128]},
                    },
                    {
                        "class_path": f"{augmentation}.copy_paste.CopyPaste",
                        "init_args": {"min_side_px": 8, "start_up_steps": 3},
                    },
                    {"class_path": f"{augmentation}.photometric.Photometric"},
                ],
            },
        },
        "data": {
            "class_path": "datamodules.pseudo_labels.PseudoLabels",
            "init_args": {
                "root": str(root),
                "labels": {
                    "class_path": "relief.sources.ground_truth.GroundTruthLabels",
                    "init_args": {"root": str(root)},
                },
                "size": [64, 128], "batch_size": 2, "num_workers": 0,
            },
        },
        "trainer": {
            "accelerator": "cpu", "devices": 1, "max_steps": 6, "val_check_interval": 3,
            "check_val_every_n_epoch": None, "num_sanity_val_steps": 0, "log_every_n_steps": 1,
            "gradient_clip_val": 1.0, "enable_progress_bar": False,
            "enable_model_summary": False,
        },
        "last": {"every_n_steps": 2},
    }  # fmt: skip
    path = root / "tiny.yaml"
    path.write_text(yaml.safe_dump(config))
    return path, root


@pytest.fixture(scope="module")
def trained(recipe, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained")
    assert train.main(["fit", "--config", str(recipe[0]), "--out", str(out)]) == 0
    return out


def rows(out):
    with (out / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def weights(out, name="last"):
    return torch.load(out / "checkpoints" / f"{name}.ckpt", weights_only=True)


def test_fit_leaves_figures_checkpoints_and_pictures(trained):
    whole = rows(trained)
    validated = [row for row in whole if row["val/pq"]]
    assert [row["step"] for row in validated] == ["2", "5"]
    names = {"pq", "pq_things", "pq_stuff", "sq", "rq", "miou"}
    assert {f"{prefix}/{name}" for prefix in ("val", "val_cups") for name in names} <= {*whole[0]}
    assert weights(trained)["global_step"] == 6
    assert "selection" not in weights(trained)
    assert weights(trained, "best")["selection"] == "val ground truth (val/pq)"
    assert list(weights(trained)["supervision"]) == ["labels: ground truth of train (cityscapes19)"]
    assert weights(trained)["label_classes"] == "cityscapes19"
    assert len(list((trained / "overlays").glob("*.jpg"))) == 3
    assert (trained / "run.yaml").exists()
    assert list((trained / "tensorboard").iterdir())


@pytest.mark.slow
def test_a_resumed_training_continues_as_if_never_stopped(recipe, trained, tmp_path, monkeypatch):
    command = ["fit", "--config", str(recipe[0]), "--out", str(tmp_path)]
    learn = PanopticSegmenter.training_step

    def stopped_in_the_sixth_step(self, batch, batch_idx):
        if self.global_step == 5:
            raise RuntimeError("the power went off")
        return learn(self, batch, batch_idx)

    with monkeypatch.context() as patched:
        patched.setattr(PanopticSegmenter, "training_step", stopped_in_the_sixth_step)
        with pytest.raises(RuntimeError, match="the power went off"):
            train.main(command)
    assert weights(tmp_path)["global_step"] == 4
    assert len(rows(tmp_path)) == 5
    assert train.main(command) == 0
    assert rows(tmp_path) == rows(trained)
    for name, value in weights(trained)["state_dict"].items():
        assert torch.equal(weights(tmp_path)["state_dict"][name], value), name


@pytest.mark.slow
def test_overwrite_starts_anew(recipe, trained, tmp_path):
    command = ["fit", "--config", str(recipe[0]), "--out", str(tmp_path)]
    assert train.main([*command, "--trainer.max_steps", "2"]) == 0
    assert train.main([*command, "--trainer.max_steps", "1", "--overwrite", "true"]) == 0
    assert [row["step"] for row in rows(tmp_path)] == ["0"]
    assert weights(tmp_path)["global_step"] == 1


def test_other_settings_are_refused_before_anything_is_changed(recipe, trained, capsys):
    before = {p: p.stat().st_mtime_ns for p in trained.rglob("*") if p.is_file()}
    command = ["fit", "--config", str(recipe[0]), "--out", str(trained)]
    other = [
        *command,
        "--model.init_args.optimizer.init_args.lr",
        "0.5",
        "--data.init_args.batch_size",
        "3",
    ]
    assert cli.exit_code(train.main, other) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert said[0].startswith(
        f"error: {trained} was begun with model.init_args.optimizer.init_args.lr=0.002, "
        "this run has 0.5 (1 more differences)."
    )
    assert {p: p.stat().st_mtime_ns for p in trained.rglob("*") if p.is_file()} == before


def test_an_option_that_bends_the_order_of_images_is_refused_before_any_work(
    recipe, tmp_path, capsys
):
    out = tmp_path / "out"
    command = ["fit", "--config", str(recipe[0]), "--out", str(out)]
    assert cli.exit_code(train.main, [*command, "--trainer.limit_train_batches", "2"]) == 2
    said = capsys.readouterr().err
    assert re.match(
        r"error: trainer\.limit_train_batches=2(\.0)? changes which images a step", said
    )
    assert said.count("\n") == 1
    assert not out.exists()


def test_a_start_that_fails_leaves_the_folder_as_it_was(recipe, trained, tmp_path, capsys):
    before = {p: p.stat().st_mtime_ns for p in trained.rglob("*") if p.is_file()}
    command = ["fit", "--config", str(recipe[0]), "--out", str(trained)]
    command += ["--trainer.max_steps", "8", "--model.init_args.optimizer.init_args.lr", "0.5"]
    path = tmp_path / "other.ckpt"
    torch.save({**weights(trained), "state_dict": {"w": torch.ones(2)}}, path)
    given = ["--overwrite", "true", "--ckpt_path", str(path)]
    assert cli.exit_code(train.main, [*command, *given]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: cannot load weights: {path} (")
    assert said.count("\n") == 1
    assert {p: p.stat().st_mtime_ns for p in trained.rglob("*") if p.is_file()} == before


def test_an_overwritten_training_that_stops_early_is_not_mixed_with_the_old_one(
    recipe, trained, tmp_path, monkeypatch
):
    out = tmp_path / "out"
    shutil.copytree(trained, out)
    command = ["fit", "--config", str(recipe[0]), "--out", str(out)]
    command += ["--model.init_args.seed", "7", "--trainer.val_check_interval", "9"]

    def power_off(self, batch, batch_idx):
        raise RuntimeError("the power went off")

    with monkeypatch.context() as patched:
        patched.setattr(PanopticSegmenter, "training_step", power_off)
        with pytest.raises(RuntimeError, match="the power went off"):
            train.main([*command, "--overwrite", "true"])
    assert not list((out / "checkpoints").iterdir())
    assert train.main([*command, "--trainer.max_steps", "2"]) == 0
    assert [row["step"] for row in rows(out)] == ["0", "1"]


@pytest.mark.slow
def test_labels_that_were_made_anew_are_refused_and_other_classes_in_any_case(
    recipe, trained, tmp_path, capsys
):
    root = tmp_path / "city"
    shutil.copytree(recipe[1], root)
    last = ["--ckpt_path", str(trained / "checkpoints" / "last.ckpt")]
    there = ["--config", str(recipe[0]), "--out", str(trained)]
    there += ["--data.init_args.root", str(root), "--trainer.max_steps", "6"]
    there += ["--data.init_args.labels.init_args.root", str(root)]
    assert cli.exit_code(train.main, ["fit", *there]) == 0  # the same, elsewhere
    path = next((root / "gtFine" / "train").rglob("*_instanceIds.png"))
    ids = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    cv2.imwrite(str(path), np.where(ids == 26001, 7, ids))
    assert cli.exit_code(train.main, ["fit", *there]) == 2
    assert "was begun with labels.files=" in capsys.readouterr().err
    classes = ["--data.init_args.labels.init_args.label_space", "cityscapes27"]
    for arguments in (["fit", *there], ["validate", *there]):
        assert cli.exit_code(train.main, [*arguments, *classes, *last]) == 2
        assert "last.ckpt was trained on other classes: things" in capsys.readouterr().err


@pytest.mark.slow
def test_a_checkpoint_within_an_accumulated_step_goes_on_at_its_beginning(recipe, tmp_path):
    command = ["fit", "--config", str(recipe[0]), "--trainer.accumulate_grad_batches", "2"]
    command += ["--trainer.max_steps", "3", "--data.init_args.batch_size", "1"]
    whole, resumed = ["--out", str(tmp_path / "a")], ["--out", str(tmp_path / "b")]
    command += ["--trainer.val_check_interval", "5"]  # in the middle of the third step
    assert train.main([*command, *whole]) == 0
    best = tmp_path / "a" / "checkpoints" / "best.ckpt"
    assert weights(tmp_path / "a", "best")["global_step"] == 2
    given = [*resumed, "--ckpt_path", str(best)]
    assert train.main([*command, *given, "--trainer.limit_val_batches", "0"]) == 0
    for name, value in weights(tmp_path / "a")["state_dict"].items():
        assert torch.equal(weights(tmp_path / "b")["state_dict"][name], value), name
    assert (
        "network: chosen among checkpoints by val ground truth (val/pq)"
        in (weights(tmp_path / "b")["supervision"])
    )


@pytest.mark.slow
def test_what_decides_nothing_may_change(recipe, tmp_path):
    command = ["fit", "--config", str(recipe[0]), "--out", str(tmp_path)]
    command += ["--trainer.val_check_interval", "9"]
    assert train.main([*command, "--trainer.max_steps", "1"]) == 0
    more = ["--trainer.max_steps", "2", "--trainer.log_every_n_steps", "2"]
    more += ["--model.init_args.predictor.short_side_px", "32"]
    assert train.main([*command, *more, "--data.init_args.keep_in_memory", "true"]) == 0
    command += ["--ckpt_path", str(tmp_path / "checkpoints" / "last.ckpt")]
    command += ["--trainer.max_steps", "3"]
    assert train.main([*command, "--model.init_args.optimizer.init_args.weight_decay", "0.5"]) == 0
    assert [row["step"] for row in rows(tmp_path)] == ["0", "1", "2"]


def test_validate_measures_a_checkpoint_and_leaves_the_log(recipe, trained):
    before = (trained / "metrics.csv").read_text()
    assert train.main(["validate", "--config", str(recipe[0]), "--out", str(trained)]) == 0
    figures = json.loads((trained / "validate.json").read_text())
    assert figures["val/pq"] == pytest.approx(float(rows(trained)[-1]["val/pq"]), abs=1e-3)
    assert (trained / "metrics.csv").read_text() == before


def test_a_store_that_cannot_be_trained_on_is_told_in_a_line(recipe, tmp_path, capsys):
    arguments = ["--data.init_args.labels.init_args.split", "val", "--out", str(tmp_path)]
    code = cli.exit_code(train.main, ["fit", "--config", str(recipe[0]), *arguments])
    assert code == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("error: no image has labels: ")


def run(*arguments):
    script = Path(train.__file__)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, str(script), *arguments], cwd=script.parent, env=environment, check=False
    ).returncode


def test_nothing_to_validate_is_told_in_a_line(recipe, tmp_path, capsys):
    code = cli.exit_code(
        train.main, ["validate", "--config", str(recipe[0]), "--out", str(tmp_path)]
    )
    assert code == 2
    assert "error: no checkpoint: " in capsys.readouterr().err


@pytest.mark.parametrize("subcommand", ["fit", "validate"])
def test_checkpoints_from_elsewhere_are_refused_before_any_work(
    recipe, tmp_path, capsys, subcommand
):
    address, out = "http://127.0.0.1:9/last.ckpt", tmp_path / "out"
    arguments = [subcommand, "--config", str(recipe[0]), "--out", str(out)]
    arguments += ["--ckpt_path", address]
    assert cli.exit_code(train.main, arguments) == 2
    told = f"error: no checkpoint: {address}. Give --ckpt_path a file on this machine.\n"
    assert capsys.readouterr().err == told
    assert not out.exists()


@pytest.mark.slow
def test_two_processes_measure_what_one_does(recipe, trained, tmp_path):
    """Three images on two ranks: one rank has a single one."""
    figures = {}
    for number in (1, 2):
        out = tmp_path / str(number)
        assert run(
            "validate", "--config", str(recipe[0]), "--out", str(out),
            "--ckpt_path", str(trained / "checkpoints" / "last.ckpt"),
            "--trainer.devices", str(number), "--trainer.strategy", "ddp" if number > 1 else "auto",
        ) == 0  # fmt: skip
        figures[number] = json.loads((out / "validate.json").read_text())
    assert figures[1]["val/pq"] > 0
    assert figures[2] == figures[1]


@pytest.mark.slow
def test_two_processes_train_and_resume(recipe, tmp_path):
    command = ["fit", "--config", str(recipe[0]), "--out", str(tmp_path)]
    command += ["--trainer.devices", "2", "--trainer.strategy", "ddp"]
    assert run(*command, "--trainer.max_steps", "3") == 0
    assert run(*command) == 0
    assert [row["step"] for row in rows(tmp_path) if row["train/loss"]] == list("012345")


def test_a_second_training_in_the_same_folder_is_refused(recipe, tmp_path, capsys):
    parent = os.getppid()
    holder = {**this_process(), "pid": parent, "started": started(parent), "token": "theirs"}
    (tmp_path / "run.lock").write_text(json.dumps(holder))
    given = ["fit", "--config", str(recipe[0]), "--out", str(tmp_path)]
    assert cli.exit_code(train.main, given) == 2
    told = f"error: another run is writing to {tmp_path} (pid {parent})."
    assert told in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["run.lock"]


@pytest.mark.slow
def test_a_stop_by_a_signal_is_resumed(recipe, tmp_path):
    command = ["fit", "--config", str(recipe[0]), "--out", str(tmp_path)]
    command += ["--trainer.max_steps", "400", "--trainer.val_check_interval", "400"]
    script = Path(train.__file__)
    training = subprocess.Popen([sys.executable, str(script), *command], cwd=script.parent)
    while not (tmp_path / "checkpoints" / "last.ckpt").exists() and training.poll() is None:
        time.sleep(0.2)
    training.terminate()
    assert training.wait(timeout=60) == 143
    step = weights(tmp_path)["global_step"]
    assert 0 < step < 400
    assert run(*command, "--trainer.max_steps", str(step + 2)) == 0
    assert weights(tmp_path)["global_step"] == step + 2


@pytest.mark.slow
def test_four_images_are_learned_by_heart(tmp_path):
    """The sample's network and learning rate, on ground truth: declared, no honest figure.

    Objects are the detections, as published, from one view: all parts of the network count.
    """
    root = tmp_path / "sample"
    draw_sample(root, train_images=4, val_images=1, seed=3)
    shutil.rmtree(root / "leftImg8bit" / "val")
    for kind in ("leftImg8bit", "gtFine"):
        shutil.rmtree(root / kind / "val", ignore_errors=True)
        (root / kind / "val").symlink_to(root / kind / "train")
    config = Path(cli.CONFIGS, "train", "sample_ground_truth.yaml")
    assert run(
        "fit", "--config", str(config), "--out", str(tmp_path / "out"),
        "--data.init_args.root", str(root), "--data.init_args.labels.init_args.root", str(root),
        "--trainer.max_steps", "200", "--trainer.val_check_interval", "200",
        "--model.init_args.augmentations", "[]", "--data.init_args.batch_size", "4",
        "--model.init_args.predictor.things_from_regions", "false",
        "--model.init_args.predictor.views.scales", "[1.0]",
        "--model.init_args.predictor.views.flip", "false",
    ) == 0  # fmt: skip
    assert float(rows(tmp_path / "out")[-1]["val/pq"]) >= 75


@pytest.mark.parametrize("subcommand", ["fit", "validate"])
def test_a_cut_checkpoint_is_told_in_a_line(recipe, tmp_path, capsys, subcommand):
    cut = tmp_path / "cut.ckpt"
    cut.write_bytes(b"PK\x03\x04" + bytes(range(200)))
    given = ["--config", str(recipe[0]), "--out", str(tmp_path / "out"), "--ckpt_path", str(cut)]
    assert cli.exit_code(train.main, [subcommand, *given]) == 2
    said = capsys.readouterr().err
    assert said.count("error: ") == 1
    assert f"cannot read checkpoint {cut}: " in said
    assert not (tmp_path / "out" / "run.yaml").exists()
