"""Stage 3 as a user types it, from a Stage 2 of `test_train.py`'s recipe."""

import json
import shutil
from types import SimpleNamespace

import pytest
import torch
import yaml

import cli
import label
import train
from lightning_modules.self_trainer import SelfTrainer
from relief.formats.label_store import LabelStore
from relief.models.segmenters import export
from relief.models.segmenters.checkpoint import read_segmenter
from tests.test_train import recipe, rows, run, weights  # noqa: F401

AUGMENTATIONS = "relief.models.augmentations"
PUBLISHED_ORDER = [
    {
        "class_path": f"{AUGMENTATIONS}.copy_paste.CopyPaste",
        "init_args": {"min_side_px": 4, "start_up_steps": None},
    },
    {"class_path": f"{AUGMENTATIONS}.photometric.Photometric"},
    {
        "class_path": f"{AUGMENTATIONS}.random_crop.RandomCrop",
        "init_args": {"heights_px": [16, 32]},
    },
    {
        "class_path": f"{AUGMENTATIONS}.resolution_jitter.ResolutionJitter",
        "init_args": {"heights_px": [32]},
    },
]


@pytest.fixture(scope="module")
def start(recipe, tmp_path_factory):  # noqa: F811
    """The checkpoint of a short Stage 2."""
    out = tmp_path_factory.mktemp("stage2")
    short = ["--trainer.max_steps", "2", "--trainer.val_check_interval", "9"]
    assert train.main(["fit", "--config", str(recipe[0]), "--out", str(out), *short]) == 0
    return out / "checkpoints" / "last.ckpt"


@pytest.fixture(scope="module")
def stage3(recipe, start, tmp_path_factory):  # noqa: F811
    """A tiny recipe that begins with the trained network: `fit` with its arguments, and parts."""
    path, root = recipe
    config = yaml.safe_load(path.read_text())
    config["model"] = {
        "class_path": "lightning_modules.self_trainer.SelfTrainer",
        "init_args": {
            "checkpoint": str(start),
            "network_changes": {
                "drop_loss_iou": None, "score_threshold": 0.05, "detections_per_image": 8,
            },
            "views": {
                "scales": [1.0], "score_threshold": 0.05, "detections_per_image": 8,
            },
            "rounds": {"steps": 2, "score_threshold": 0.1},
            "semantic_threshold": {
                "class_path": "relief.models.self_training.semantic_thresholds."
                "ClassAdaptiveThreshold",
                "init_args": {"floor": 0.01},
            },
            "optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 1e-3}},
            "teacher": {
                "class_path": "relief.models.teachers.mean_teacher.MeanTeacher",
                "init_args": {"decay": 0.9},
            },
            "augmentations": PUBLISHED_ORDER,
            "predictor": {"short_side_px": 32},
        },
    }  # fmt: skip
    config["data"] = {
        "class_path": "datamodules.unlabelled_images.UnlabelledImages",
        "init_args": {
            "root": str(root), "size": [32, 64], "batch_size": 2, "num_workers": 0,
        },
    }  # fmt: skip
    config["last"] = {"every_n_steps": 3}
    config["trainer"] |= {"max_steps": 4, "val_check_interval": 4}
    path = tmp_path_factory.mktemp("stage3") / "tiny_stage3.yaml"
    path.write_text(yaml.safe_dump(config))
    return SimpleNamespace(fit=["fit", "--config", str(path)], start=start)


@pytest.fixture(scope="module")
def self_trained(stage3, tmp_path_factory):
    out = tmp_path_factory.mktemp("self_trained")
    assert train.main([*stage3.fit, "--out", str(out)]) == 0
    return out


def assert_equal_states(one, two):
    assert one["state_dict"].keys() == two["state_dict"].keys()
    for name, value in one["state_dict"].items():
        assert torch.equal(value, two["state_dict"][name]), name
    assert one["global_step"] == two["global_step"]
    first, second = (c["optimizer_states"][0]["state"] for c in (one, two))
    assert first.keys() == second.keys()
    for number, state in first.items():
        for name, value in state.items():
            assert torch.equal(value, second[number][name]), (number, name)


def test_fit_measures_both_and_learns_from_what_the_teacher_finds(stage3, self_trained):
    whole = rows(self_trained)
    measured = whole[-1]
    names = {"pq", "pq_things", "pq_stuff", "sq", "rq", "miou"}
    for prefix in ("val", "val_cups"):
        for name in names:
            assert measured[f"{prefix}/{name}"] == measured[f"{prefix}/teacher_{name}"] != ""
            assert measured[f"{prefix}/student_{name}"] != ""
    assert max(float(row["train/teacher_objects"]) for row in whole) > 0
    assert [float(row["train/teacher_score"]) for row in whole] == pytest.approx(
        [0.1, 0.1, 0.15, 0.15]
    )
    before = torch.load(stage3.start, weights_only=True)
    after = weights(self_trained)
    for name in ("classes", "supervision", "label_classes"):
        assert after[name] == before[name]
    changes = {"drop_loss_iou": None, "score_threshold": 0.05, "detections_per_image": 8}
    assert before["network"]["class_path"].endswith(".PanopticCascade")
    assert before["network"]["init_args"]["drop_loss_iou"] == 0.4
    assert after["network"]["init_args"] == before["network"]["init_args"] | changes
    moved = {"network": 0, "teacher": 0}
    for name, value in after["state_dict"].items():
        net, _, own = name.partition(".")
        if net in moved and not torch.equal(value, before["state_dict"][f"network.{own}"]):
            assert "head" in own
            assert "norm" not in own
            moved[net] += 1
    assert moved["network"] == moved["teacher"] > 20
    assert after["state_dict"]["semantic_threshold.prior"].sum() > 0.5


def test_a_resumed_self_training_continues_as_if_never_stopped(
    stage3, self_trained, tmp_path, monkeypatch
):
    """Stopped inside the second round, resumed without the checkpoint that it began with."""
    start = tmp_path / "start.ckpt"
    shutil.copy(stage3.start, start)
    command = [*stage3.fit, "--out", str(tmp_path), "--model.init_args.checkpoint", str(start)]
    learn = SelfTrainer.training_step

    def stopped_in_the_fourth_step(self, batch, batch_idx):
        if self.global_step == 3:
            raise RuntimeError("the power went off")
        return learn(self, batch, batch_idx)

    with monkeypatch.context() as patched:
        patched.setattr(SelfTrainer, "training_step", stopped_in_the_fourth_step)
        with pytest.raises(RuntimeError, match="the power went off"):
            train.main(command)
    assert weights(tmp_path)["global_step"] == 3
    start.unlink()
    assert train.main(command) == 0
    assert rows(tmp_path) == rows(self_trained)
    assert_equal_states(weights(tmp_path), weights(self_trained))


def test_no_label_of_the_training_images_is_read(stage3, self_trained, recipe, tmp_path):  # noqa: F811
    root = tmp_path / "city"
    shutil.copytree(recipe[1], root)
    shutil.rmtree(root / "gtFine" / "train")
    command = [*stage3.fit, "--out", str(tmp_path / "out"), "--data.init_args.root", str(root)]
    assert train.main([*command, "--trainer.max_steps", "2"]) == 0
    losses = [[row["train/loss"] for row in rows(out)] for out in (tmp_path / "out", self_trained)]
    assert losses[0] == losses[1][:2]


def test_a_stage_3_checkpoint_is_measured_and_labels(stage3, self_trained, recipe, tmp_path):  # noqa: F811
    out, last = tmp_path / "measured", self_trained / "checkpoints" / "last.ckpt"
    arguments = [*stage3.fit[1:], "--out", str(out), "--ckpt_path", str(last)]
    assert train.main(["validate", *arguments, "--model.init_args.checkpoint", "gone.ckpt"]) == 0
    figures = json.loads((out / "validate.json").read_text())
    for name in ("pq", "student_pq"):
        expected = float(rows(self_trained)[-1][f"val/{name}"])
        assert figures[f"val/{name}"] == pytest.approx(expected, abs=1e-3)
    config = yaml.safe_load((cli.CONFIGS / "label" / "stage2.yaml").read_text())
    config["model"]["init_args"] = {"checkpoint": str(last)}
    config["data"]["init_args"] = {"root": str(recipe[1]), "split": "val"}
    config["trainer"]["accelerator"] = "cpu"
    config["report"] = {"num_examples": 0, "num_overlays": 0}
    path = tmp_path / "label.yaml"
    path.write_text(yaml.safe_dump(config))
    assert label.main(["--config", str(path), "--out", str(tmp_path / "labels")]) == 0
    store = LabelStore(tmp_path / "labels")
    assert len(store.keys) == 3
    assert store.manifest.supervision == ("labels: ground truth of train (cityscapes19)",)


def test_stage_3_begins_with_stage_3_and_with_an_export(stage3, self_trained, tmp_path):
    last, exported = self_trained / "checkpoints" / "last.ckpt", tmp_path / "student.safetensors"
    command = ["--checkpoint", str(last), "--which", "student", "--out", str(exported)]
    assert export.main(command) == 0
    short = [*stage3.fit, "--trainer.max_steps", "1", "--trainer.val_check_interval", "9"]
    for name, which in (("chained", ["--model.init_args.which", "student"]), ("exported", [])):
        start = exported if name == "exported" else last
        given = ["--model.init_args.checkpoint", str(start), "--out", str(tmp_path / name)]
        assert train.main([*short, *given, *which]) == 0
    chained, from_export = weights(tmp_path / "chained"), weights(tmp_path / "exported")
    assert_equal_states(chained, from_export)
    assert chained["supervision"] == from_export["supervision"] != []
    network = read_segmenter(tmp_path / "chained" / "checkpoints" / "last.ckpt").weights
    assert network.keys() == read_segmenter(last).weights.keys()


@pytest.mark.parametrize(
    ("option", "value"), [("predictor.short_side_px", "16"), ("checkpoint", "another.ckpt")]
)
def test_what_makes_the_targets_may_not_change(stage3, self_trained, capsys, option, value):
    given = ["--out", str(self_trained), f"--model.init_args.{option}", value]
    assert cli.exit_code(train.main, [*stage3.fit, *given]) == 2
    assert f"was begun with model.init_args.{option}=" in capsys.readouterr().err


def missing(folder, start):
    return folder / "none.ckpt"


def damaged(folder, start):
    (folder / "cut.ckpt").write_bytes(start.read_bytes()[:5000])
    return folder / "cut.ckpt"


def of_another_network(folder, start):
    content = torch.load(start, weights_only=True)
    content["classes"]["stuff"] = content["classes"]["stuff"][:1]
    torch.save(content, folder / "other.ckpt")
    return folder / "other.ckpt"


def of_an_earlier_version(folder, start):
    content = torch.load(start, weights_only=True)
    del content["network"]
    torch.save(content, folder / "earlier.ckpt")
    return folder / "earlier.ckpt"


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (missing, "error: no checkpoint: "),
        (damaged, "error: cannot read checkpoint: "),
        (of_another_network, "error: cannot load weights: "),
        (of_an_earlier_version, "error: {path} does not say which network it is of"),
    ],
)
def test_a_checkpoint_that_cannot_be_used(stage3, tmp_path, capsys, make, line):
    path = make(tmp_path, stage3.start)
    given = ["--model.init_args.checkpoint", str(path)]
    code = cli.exit_code(train.main, [*stage3.fit, *given, "--out", str(tmp_path / "out")])
    said = capsys.readouterr().err.strip().splitlines()
    assert code == 2
    assert len(said) == 1
    assert said[0].startswith(line.format(path=path))


def test_without_stage_2_the_sample_says_what_to_type(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe3 = str(cli.CONFIGS / "train" / "sample_stage3.yaml")
    assert cli.exit_code(train.main, ["fit", "--config", recipe3, "--out", "out"]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert "no checkpoint: outputs/train/sample/checkpoints/last.ckpt" in said[0]
    assert "`python train.py`" in said[0]


def test_any_folder_of_photographs_is_learned_from_and_nothing_measured(stage3, recipe, tmp_path):  # noqa: F811
    given = ["--data.init_args.root", "", "--data.init_args.folder", str(recipe[1] / "leftImg8bit")]
    given += ["--trainer.max_steps", "1", "--trainer.val_check_interval", "1"]
    assert train.main([*stage3.fit, *given, "--out", str(tmp_path)]) == 0
    assert weights(tmp_path)["global_step"] == 1
    assert not any(name.startswith("val") for name in rows(tmp_path)[0])


@pytest.mark.slow
def test_two_processes_learn_alike_and_resume(stage3, tmp_path):
    """Plain `ddp`: every parameter that is not frozen takes part in every step."""
    two = ["--trainer.devices", "2", "--trainer.strategy", "ddp"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert run(*stage3.fit, *two, "--out", str(whole)) == 0
    assert run(*stage3.fit, *two, "--out", str(parts), "--trainer.max_steps", "3") == 0
    assert run(*stage3.fit, *two, "--out", str(parts)) == 0
    assert_equal_states(weights(parts), weights(whole))
    ours, expected = ([r["train/loss"] for r in rows(out)] for out in (parts, whole))
    assert ours == expected
