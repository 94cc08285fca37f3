"""`train.py` with CAUSE's head, on frames of a few pixels and a body of three channels."""

import csv
import json
import shutil

import pytest
import torch
import yaml
from safetensors.torch import load_file

import cli
import label
import train
from lightning_modules.cause_head import HEAD_FILE, CauseHeadTrainer
from relief.formats.label_store import LabelStore
from relief.models.backbones.headed import HeadedBackbone
from relief.models.backbones.rgb_statistics import RGBStatistics
from tests.conftest import draw_frame

HEADS = {
    "query": {
        "class_path": "relief.models.heads.cause_head.QueryHead",
        "init_args": {"dim": 5, "hidden": 8, "grid": 4},
    },
    "mlp": {"class_path": "relief.models.heads.mlp_head.MLPHead", "init_args": {"dim": 5}},
}
PATCH_PX = 2
BODY = {
    "class_path": "relief.models.backbones.rgb_statistics.RGBStatistics",
    "init_args": {"patch_px": PATCH_PX},
}


def write_recipe(path, head, root):
    config = {
        "model": {
            "class_path": "lightning_modules.cause_head.CauseHeadTrainer",
            "init_args": {
                "backbone": BODY, "head": head, "codebook_steps": 2,
                "settings": {"codes": 6, "projection_dim": 7, "bank_capacity": 3},
            },
        },
        "data": {
            "class_path": "datamodules.image_views.ImageViews",
            "init_args": {
                "views": {
                    "class_path": "relief.ops.square_views.WindowsAlong",
                    "init_args": {"side_px": 16 * PATCH_PX, "count": 2},
                },
                "root": str(root), "batch_size": 2, "num_workers": 0,
            },
        },
        "trainer": {
            "accelerator": "cpu", "devices": 1, "max_steps": 5, "gradient_clip_val": 1.0,
            "log_every_n_steps": 1, "enable_progress_bar": False, "enable_model_summary": False,
            "callbacks": [
                {
                    "class_path": "callbacks.feature_pictures.FeaturePictures",
                    "init_args": {"every_n_steps": 2, "num_images": 2},
                }
            ],
        },
        "last": {"every_n_steps": 2},
    }  # fmt: skip
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cause") / "city"
    for number in range(3):
        draw_frame(folder, "train", "aachen", number)
        draw_frame(folder, "val", "bonn", 10 + number)
    return folder


@pytest.fixture(scope="module", params=HEADS)
def trained(request, root, tmp_path_factory):
    """(Recipe, folder) of a whole training."""
    folder = tmp_path_factory.mktemp(request.param)
    recipe = write_recipe(folder / "recipe.yaml", HEADS[request.param], root)
    assert cli.exit_code(train.main, ["fit", "--config", str(recipe), "--out", str(folder)]) == 0
    return recipe, folder


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_first_the_codebook_learns_then_the_head(trained):
    whole = rows(trained[1])
    assert all(row["train/modularity"] for row in whole)
    assert [bool(row["train/contrast"]) for row in whole] == [False, False, True, True, True]
    assert float(whole[4]["train/bank"]) > 0
    alike, unlike = (float(whole[4][f"train/pairs_{kind}"]) for kind in ("alike", "unlike"))
    assert 0 < alike <= 1 - unlike
    pictures = sorted(path.name for path in (trained[1] / "overlays").iterdir())
    assert pictures == [f"features_{step:06d}.jpg" for step in (2, 4, 5)]
    state = torch.load(trained[1] / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert not [name for name in state if name.startswith("backbone")]


def test_a_resumed_training_ends_with_the_same_file(trained, tmp_path, monkeypatch):
    recipe, whole = trained
    arguments = ["fit", "--config", str(recipe), "--out", str(tmp_path)]
    learn = CauseHeadTrainer.training_step

    def stopped_in_the_last_step(self, batch, batch_idx):
        if self.global_step == 4:
            raise KeyboardInterrupt
        return learn(self, batch, batch_idx)

    monkeypatch.setattr(CauseHeadTrainer, "training_step", stopped_in_the_last_step)
    assert cli.exit_code(train.main, arguments) != 0
    assert not (tmp_path / HEAD_FILE).exists()
    monkeypatch.undo()
    assert cli.exit_code(train.main, arguments) == 0
    assert (tmp_path / HEAD_FILE).read_bytes() == (whole / HEAD_FILE).read_bytes()


def test_the_file_is_labelled_with_by_either_head(trained, root, tmp_path):
    head = trained[1] / HEAD_FILE
    image = torch.rand(1, 3, 32, 64, generator=torch.manual_seed(0))
    parts = {
        which: HeadedBackbone(RGBStatistics(PATCH_PX), str(head), which)
        for which in ("mean", "student")
    }
    seen = {}
    for which, part in parts.items():
        part.setup()
        with torch.no_grad():
            seen[which] = part(image)
    assert seen["mean"].shape[1] == parts["mean"].dim == 5
    assert not torch.equal(seen["mean"], seen["student"])
    out = tmp_path / "out"
    arguments = ["--config", "tests/configs/label/tiny.yaml", "--out", str(out)]
    arguments += ["--model.init_args.backbone", str(trained[1] / "backbone.yaml")]
    arguments += ["--data.init_args.root", str(root)]
    arguments += ["--data.init_args.depth.init_args.root", str(root / "depth")]
    assert cli.exit_code(label.main, arguments) == 0
    assert len(LabelStore(out).keys) == 3
    manifest = json.loads((out / "manifest.json").read_text())
    assert "head" in json.dumps(manifest["weights"])


def test_heads_are_kept_on_the_way(trained, tmp_path):
    arguments = ["fit", "--config", str(trained[0]), "--out", str(tmp_path)]
    assert cli.exit_code(train.main, [*arguments, "--model.init_args.keep_at", "[3]"]) == 0
    early, last = (load_file(tmp_path / f"cause_head{name}.safetensors") for name in ("_3", ""))
    assert early.keys() == last.keys()
    assert torch.equal(early["codebook"], last["codebook"])
    assert any(not torch.equal(early[name], last[name]) for name in last)
    assert (tmp_path / HEAD_FILE).read_bytes() == (trained[1] / HEAD_FILE).read_bytes()


def test_a_probe_is_labelled_with_and_leaves_the_head_as_it_is(trained, root, tmp_path):
    recipe, whole = trained
    arguments = ["fit", "--config", str(recipe), "--out", str(tmp_path)]
    assert cli.exit_code(train.main, [*arguments, "--model.init_args.settings.probe", "3"]) == 0
    tensors, head = (load_file(folder / HEAD_FILE) for folder in (tmp_path, whole))
    probe = tensors.pop("cluster_probe")
    assert all(torch.equal(tensor, head[name]) for name, tensor in tensors.items())
    assert [bool(row["train/probe_modularity"]) for row in rows(tmp_path)] == [False] * 2 + [
        True
    ] * 3
    out = tmp_path / "out"
    arguments = ["--config", "tests/configs/label/tiny.yaml", "--out", str(out)]
    arguments += ["--model.init_args.backbone", str(tmp_path / "backbone.yaml")]
    arguments += ["--fitter.init_args.kmeans", str(tmp_path / "probe.yaml")]
    arguments += ["--data.init_args.root", str(root)]
    arguments += ["--data.init_args.depth.init_args.root", str(root / "depth")]
    assert cli.exit_code(label.main, arguments) == 0
    assert torch.equal(load_file(out / "codebook.safetensors")["centroids"], probe)


def test_tokens_that_are_kept_are_the_same(trained, tmp_path):
    arguments = ["fit", "--config", str(trained[0]), "--out", str(tmp_path)]
    assert cli.exit_code(train.main, [*arguments, "--model.init_args.keep_tokens", "true"]) == 0
    kept = torch.tensor([float(row["train/loss"]) for row in rows(tmp_path)])
    read = torch.tensor([float(row["train/loss"]) for row in rows(trained[1])])
    torch.testing.assert_close(kept, read, rtol=1e-3, atol=1e-3)


def test_other_settings_do_not_go_on_with_it(trained, tmp_path, capsys):
    recipe, whole = trained
    shutil.copytree(whole, tmp_path / "out")
    arguments = ["fit", "--config", str(recipe), "--out", str(tmp_path / "out")]
    assert cli.exit_code(train.main, [*arguments, "--model.init_args.codebook_steps", "3"]) == 2
    assert "codebook_steps=2, this run has 3" in capsys.readouterr().err


def test_views_without_tokens_are_told_in_a_line(root, tmp_path, capsys):
    recipe = write_recipe(tmp_path / "recipe.yaml", HEADS["mlp"], root)
    arguments = ["fit", "--config", str(recipe), "--out", str(tmp_path / "out")]
    side = str(5 * PATCH_PX)
    option = "--data.init_args.views.init_args.side_px"
    assert cli.exit_code(train.main, [*arguments, option, side]) == 2
    assert "too few. Give data.views larger sides." in capsys.readouterr().err
