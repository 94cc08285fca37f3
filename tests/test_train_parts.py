"""Networks of one's own are trained by their class path; nothing else is touched."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

import cli
import label
import train
from relief.formats.label_store import LabelStore
from tests.test_train import draw_city, rows, weights

ALL_PARAMETERS = "relief.models.optimization.trained_parameters.AllParameters"
PLAIN = '''
"""A panoptic network in plain torch."""

import torch
from torch import nn
from torch.nn import functional as F


class Plain(nn.Module):
    """Sees colours: regions by a convolution, and one object where it sees a thing."""

    def __init__(self, num_things, num_regions, width: int = 8):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.ReLU())
        self.head = nn.Conv2d(width, 1 + num_regions, 1)

    def setup(self):
        """Has no weights to read."""

    def logits(self, image):
        return self.head(self.body(image))

    def forward(self, batch, moment):
        logits = self.logits(batch["image"])
        return {"loss_sem_seg": F.cross_entropy(logits, batch["semantic"], ignore_index=-1)}

    @torch.no_grad()
    def predict(self, image, size=None):
        logits = F.interpolate(self.logits(image).float(), size or image.shape[-2:])
        height, width = logits.shape[-2:]
        return {"semantic_logits": logits, "detections": [
            {
                "masks": (one.argmax(dim=0) == 0)[None],
                "boxes": one.new_tensor([[0, 0, width, height]]),
                "classes": torch.zeros(1, dtype=torch.int64), "scores": one.new_ones(1),
            }
            for one in logits.to(image.device)
        ]}
'''

EMBEDDER = '''
"""A network that gives every pixel a place in a space, where objects are far from each other."""

import torch
from torch import nn
from torch.nn import functional as F


class Embedder(nn.Module):
    """Regions, and places of pixels; an object is what lies near the place of a seed pixel."""

    def __init__(self, num_things, num_regions, dim: int = 4):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.regions = nn.Conv2d(8, 1 + num_regions, 1)
        self.places = nn.Conv2d(8, dim, 1)

    def setup(self):
        """Has no weights to read."""

    def forward(self, image):
        features = self.body(image)
        return self.regions(features), self.places(features)

    @torch.no_grad()
    def predict(self, image, size=None):
        was_training = self.training
        self.eval()
        maps = (F.interpolate(one.float(), size or image.shape[-2:]) for one in self(image))
        regions, places = maps
        self.train(was_training)
        found = []
        for logits, where in zip(regions, places):
            seed = where.flatten(1)[:, logits[0].argmax()].view(-1, 1, 1)
            score = (-(where - seed).square().sum(dim=0)).exp()
            mask = (score >= 0.5)[None]
            found.append({
                "masks": mask, "boxes": score.new_tensor([[0, 0, *reversed(score.shape)]]),
                "classes": torch.zeros(1, dtype=torch.int64, device=score.device),
                "scores": score[mask[0]].mean()[None],
            })
        return {"semantic_logits": regions, "detections": found}
'''

PULL = '''
"""Pixels of an object are pulled together, and all of them to where the teacher sees them."""

import torch
from torch.nn import functional as F

from relief.schema.training_parts import Criterion


class PullTogether(Criterion):
    def __init__(self, agreement: float = 1.0):
        self.agreement = agreement

    def __call__(self, network, batch, moment):
        regions, places = network(batch["image"])
        with torch.no_grad():
            _, taught = moment.teacher(batch["image"])
        ids, numbers = batch["instance"].flatten().unique(return_inverse=True)
        members = F.one_hot(numbers, len(ids)).float()
        flat = places.movedim(1, -1).flatten(0, -2)
        centres = members.T @ flat / members.sum(dim=0)[:, None]
        return {
            "loss_regions": F.cross_entropy(regions, batch["semantic"], ignore_index=-1),
            "loss_pull": (flat - centres[numbers]).square().mean(),
            "loss_agreement": (places - taught).square().mean()
            * self.agreement * (moment.step / moment.total),
        }
'''


def recipe_of(network, root, steps, **arguments):
    """What a person writes: the network by its class path, ground truth of a few images."""
    labels = {
        "class_path": "relief.sources.ground_truth.GroundTruthLabels",
        "init_args": {"root": str(root)},
    }
    return {
        "model": {
            "class_path": "lightning_modules.panoptic_segmenter.PanopticSegmenter",
            "init_args": {"network": network, **arguments},
        },
        "data": {
            "class_path": "datamodules.pseudo_labels.PseudoLabels",
            "init_args": {
                "root": str(root), "labels": labels, "size": [64, 128], "batch_size": 2,
                "num_workers": 0,
            },
        },
        "trainer": {
            "accelerator": "cpu", "devices": 1, "max_steps": steps, "val_check_interval": steps,
            "check_val_every_n_epoch": None, "num_sanity_val_steps": 0, "log_every_n_steps": 1,
            "enable_progress_bar": False, "enable_model_summary": False,
        },
    }  # fmt: skip


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    root = tmp_path_factory.mktemp("city")
    draw_city(root, "train", [f"a_{n:06d}_000019" for n in range(4)])
    draw_city(root, "val", ["b_000000_000019"], seed=9)
    return root


@pytest.mark.slow
def test_a_network_in_plain_torch_is_trained_without_detectron2(city, tmp_path):
    (tmp_path / "plain_parts.py").write_text(PLAIN)
    path, out = tmp_path / "plain.yaml", tmp_path / "out"
    network = {"class_path": "plain_parts.Plain", "init_args": {"width": 4}}
    path.write_text(yaml.safe_dump(recipe_of(network, city, steps=1)))
    arguments = ["fit", "--config", str(path), "--out", str(out)]
    program = (
        f"import sys, cli, train\ncode = cli.exit_code(train.main, {arguments!r})\n"
        "sys.exit(code or ('detectron2' in sys.modules and 'detectron2 was imported'))"
    )
    folders = os.pathsep.join((str(tmp_path), str(Path(train.__file__).parent)))
    ended = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": folders},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert float(rows(out)[-1]["val/pq"]) >= 0
    assert weights(out)["state_dict"]["network.body.0.weight"].shape == (4, 3, 3, 3)


@pytest.fixture
def embedding(tmp_path, monkeypatch):
    """One file of a network and one of a criterion, where Python finds them."""
    for name, source in (("embedder", EMBEDDER), ("pull_together", PULL)):
        (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in ("embedder", "pull_together"):
        sys.modules.pop(name, None)


def fit(recipe, path, out):
    path.write_text(yaml.safe_dump(recipe))
    return train.main(["fit", "--config", str(path), "--out", str(out)])


def test_embeddings_with_a_mean_teacher_are_a_network_a_criterion_and_a_recipe(
    city, embedding, tmp_path, capsys
):
    parts = {
        "criterion": {"class_path": "pull_together.PullTogether", "init_args": {"agreement": 0.5}},
        "teacher": {
            "class_path": "relief.models.teachers.mean_teacher.MeanTeacher",
            "init_args": {"decay": 0.8, "buffers": "copied"},
        },
        "optimizer": {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.1}},
    }
    network = {"class_path": "embedder.Embedder", "init_args": {"dim": 3}}
    recipe, out = recipe_of(network, city, steps=3, **parts), tmp_path / "out"
    assert fit(recipe, tmp_path / "embedding.yaml", out) == 0
    agreement = [float(row["train/loss_agreement"]) for row in rows(out)]
    assert agreement[0] == 0 < agreement[1] < agreement[2]
    assert {"val/pq", "val/teacher_pq", "val/student_pq"} <= rows(out)[-1].keys()
    state = weights(out)["state_dict"]
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        assert torch.equal(state[f"teacher.body.1.{name}"], state[f"network.body.1.{name}"])
    assert not torch.equal(state["teacher.places.weight"], state["network.places.weight"])
    recipe["trainer"]["max_steps"] = 4  # gone on with: the teacher comes from the checkpoint
    assert fit(recipe, tmp_path / "embedding.yaml", out) == 0
    assert [row["step"] for row in rows(out)] == list("0123")
    recipe["model"]["init_args"]["teacher"] = None
    last = ["--ckpt_path", str(out / "checkpoints" / "last.ckpt")]
    (tmp_path / "alone.yaml").write_text(yaml.safe_dump(recipe))
    alone = ["fit", "--config", str(tmp_path / "alone.yaml"), "--out", str(out)]
    assert cli.exit_code(train.main, [*alone, *last]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith(f"error: {last[1]} was trained with a teacher. Give the same")

    checkpoint = {"checkpoint": str(out / "checkpoints" / "last.ckpt")}
    recipe["model"] = {
        "class_path": "lightning_modules.self_trainer.SelfTrainer",
        "init_args": {
            **checkpoint, **parts, "trained": {"class_path": ALL_PARAMETERS},
            "rounds": {"score_threshold": 0.0}, "views": {"score_threshold": 0.0},
        },
    }  # fmt: skip
    recipe["data"] = {
        "class_path": "datamodules.unlabelled_images.UnlabelledImages",
        "init_args": {"root": str(city), "size": [64, 128], "batch_size": 2, "num_workers": 0},
    }
    taught = tmp_path / "taught"
    assert fit(recipe, tmp_path / "taught.yaml", taught) == 0
    assert float(rows(taught)[-1]["train/loss_agreement"]) > 0
    assert weights(taught)["network"] == weights(out)["network"] == network
    assert label_with(taught / "checkpoints" / "last.ckpt", city, tmp_path / "labels") == 0
    assert len(LabelStore(tmp_path / "labels").keys) == 1


def label_with(checkpoint, root, out):
    """Labels of val, by the recipe for trained networks and a file."""
    recipe = str(cli.CONFIGS / "label" / "stage2.yaml")
    data = ["--data.init_args.root", str(root), "--data.init_args.num_workers", "0"]
    given = ["--model.init_args.checkpoint", str(checkpoint), "--trainer.accelerator", "cpu"]
    return label.main(["--config", recipe, "--out", str(out), *data, *given])
