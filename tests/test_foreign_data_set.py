"""A data set that is not Cityscapes: one class and one YAML, and nothing else is touched."""

import json
import sys

import cv2
import numpy as np
import pytest
import yaml

import cli
import evaluate
import label
import train
from relief.formats.label_store import LabelStore
from tests.test_train_parts import PLAIN, city, recipe_of  # noqa: F401

SOURCE = '''
from pathlib import Path

from torch import Tensor

from relief.formats.label_png import read_ids
from relief.schema.label_spaces import Label, LabelSpace


class Rooms:
    """FOLDER/rgb/KEY.jpg with FOLDER/ids/KEY.png: id, or id * 1000 + number of the object."""

    label_space = LabelSpace(
        "rooms", (Label(3, "floor", (9, 9, 9)), Label(8, "box", (200, 0, 0), is_thing=True))
    )

    def __init__(self, folder: str, split: str = "") -> None:
        self.root, self.split = Path(folder), split

    @property
    def keys(self) -> list[str]:
        return sorted(path.stem for path in (self.root / "rgb").glob(f"{self.split}*.jpg"))

    def image_path(self, key: str) -> Path:
        return self.root / "rgb" / f"{key}.jpg"

    def target_path(self, key: str) -> Path | None:
        path = self.root / "ids" / f"{key}.png"
        return path if path.is_file() else None

    def target(self, key: str) -> Tensor:
        return self.label_space.target(read_ids(self.target_path(key)))
'''


@pytest.fixture
def rooms(tmp_path, monkeypatch):
    (tmp_path / "foreign_parts.py").write_text(SOURCE + PLAIN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "foreign_parts", raising=False)
    for part in ("rgb", "ids"):
        (tmp_path / "rooms" / part).mkdir(parents=True)
    for number in range(4):
        ids = np.full((64, 128), 3, np.uint16)
        ids[16 : 40 + number, 16 + 8 * number : 64] = 8001
        image = np.where(ids[..., None] > 3, [30, 60, 220], [120, 120, 120]).astype(np.uint8)
        cv2.imwrite(str(tmp_path / f"rooms/rgb/room{number}.jpg"), image)
        cv2.imwrite(str(tmp_path / f"rooms/ids/room{number}.png"), ids)
    cv2.imwrite(str(tmp_path / "rooms/rgb/room_without_truth.jpg"), image)
    return tmp_path / "rooms"


@pytest.fixture
def piece(rooms, tmp_path):
    source = {"class_path": "foreign_parts.Rooms", "init_args": {"folder": str(rooms)}}
    path = tmp_path / "rooms.yaml"
    path.write_text(yaml.safe_dump(source))
    return path


def test_it_is_labelled_measured_and_diagnosed(piece, rooms, tmp_path):
    out = tmp_path / "out"
    arguments = [
        *("--config", "tests/configs/label/tiny.yaml", "--out", str(out)),
        *("--data", "datamodules.labelling.LabellingDataModule"),
        *("--data.init_args.source", "foreign_parts.Rooms"),
        *("--data.init_args.source.init_args.folder", str(rooms)),
        *("--data.init_args.depth", "null"),
        *("--model.init_args.splitter", "relief.splitters.connected.ConnectedSplitter"),
        *("--model.init_args.splitter.init_args.min_area_px", "10"),
    ]
    assert cli.exit_code(label.main, arguments) == 0
    store = LabelStore(out)
    assert len(store.keys) == 5
    labelled = json.loads((out / "metrics.json").read_text())
    assert set(labelled["panopticapi/majority"]["per_class"]) == {"floor", "box"}

    scored = tmp_path / "scores"
    chosen = ("--labels", str(out), "--truth", str(piece), "--out", str(scored))
    assert cli.exit_code(evaluate.main, ["labels", *chosen]) == 0
    measured = json.loads((scored / "metrics.json").read_text())
    assert measured["panopticapi/majority"] == labelled["panopticapi/majority"]
    assert measured["panopticapi/majority"]["miou"] > 50

    assert cli.exit_code(evaluate.main, ["diagnose", *chosen]) == 0
    assert set(json.loads((scored / "diagnosis.json").read_text())["iou"]) == {"floor", "box"}
    assert cli.exit_code(evaluate.main, ["diagnose", "objects", *chosen]) == 0

    manifest = json.loads((out / "manifest.json").read_text())
    assert str(tmp_path) not in json.dumps(manifest["parts"])


def test_a_network_trains_on_it_and_is_measured_on_cityscapes(piece, city, tmp_path):  # noqa: F811
    source = yaml.safe_load(piece.read_text())
    recipe = recipe_of({"class_path": "foreign_parts.Plain"}, city, steps=1)
    labels = {
        "class_path": "relief.sources.ground_truth.GroundTruthLabels",
        "init_args": {"source": source},
    }
    recipe["data"]["init_args"] |= {
        "source": source,
        "labels": labels,
        "validation": {
            "class_path": "relief.sources.cityscapes.CityscapesSource",
            "init_args": {"root": str(city)},
        },
    }
    path, out = tmp_path / "recipe.yaml", tmp_path / "out"
    path.write_text(yaml.safe_dump(recipe))
    arguments = ["fit", "--config", str(path), "--out", str(out)]
    assert cli.exit_code(train.main, arguments) == 0
    columns = (out / "metrics.csv").read_text().splitlines()[0].split(",")
    assert "val/pq" in columns
    assert (out / "checkpoints" / "last.ckpt").is_file()
