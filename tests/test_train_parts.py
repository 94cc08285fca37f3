"""Networks of one's own are trained by their class path; nothing else is touched."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import train
from tests.test_train import draw_city, rows, weights

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

    def forward(self, batch):
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


def recipe_of(network, root, steps, **arguments):
    """What a person writes: the network by its class path, ground truth of a few images."""
    labels = {
        "class_path": "relief.formats.ground_truth.GroundTruthLabels",
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
