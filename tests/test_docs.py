"""The examples of docs/parts.md do what the page says; commands of the pages name what exists."""

import importlib
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from jsonargparse import ArgumentError

import cli
import evaluate
import label
import train
from datamodules.pseudo_labels import PseudoLabels
from datamodules.unlabelled_images import UnlabelledImages
from relief.formats.label_store import LabelStore
from relief.formats.reader import LabelReader
from relief.schema.label_spaces import CITYSCAPES_19
from relief.schema.observation import Observation
from relief.schema.parts import Backbone, DepthModel, DepthReader, KMeansFitter
from relief.sources.cityscapes import CityscapesSource
from relief.sources.ground_truth import GroundTruthLabels
from relief.studies.detector_rounds import parse_rounds, rounds_of
from relief.studies.scoring.scored_images import read_scored_images
from tests.contracts.augmentation import MOMENT, drawn_batch
from tests.contracts.network import NUM_REGIONS, NUM_THINGS, NetworkContract
from tests.contracts.source import SourceContract
from tests.label_runs import run_label
from tests.relief.studies.tiny import draw_store
from tests.test_configs import TrainRecipe, parse_evaluate

ROOT = Path(__file__).parents[1]
PARTS = (ROOT / "docs" / "parts.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """All examples of the page as a module that configurations can name."""
    folder = tmp_path_factory.mktemp("parts")
    blocks = re.findall(r"```python\n(.*?)```", PARTS, re.DOTALL)
    assert len(blocks) == 15
    futures = "from __future__ import annotations\n"
    (folder / "my_parts.py").write_text(futures + "\n\n".join(blocks), encoding="utf-8")
    sys.path.insert(0, str(folder))
    yield importlib.import_module("my_parts")
    sys.path.remove(str(folder))
    del sys.modules["my_parts"]


def test_examples_fit_the_seams(parts):
    assert isinstance(parts.MeanColour(), Backbone)
    assert isinstance(parts.HigherIsFarther(), DepthModel)
    assert isinstance(parts.HalvedDepth("x"), DepthReader)
    assert isinstance(parts.DrawnCentroids(3), KMeansFitter)


def test_an_export_can_be_one_of_ours(parts, tmp_path):
    labels = ("--labels", str(draw_store(tmp_path / "s")), "--out", str(tmp_path / "e"))
    assert evaluate.main(["export", "--format", "my_parts.PlainCounts", *labels]) == 0
    assert (tmp_path / "e" / "counts.txt").read_text().splitlines()[0].endswith("_000001 5")


def test_every_part_of_a_labelling_run_can_be_one_of_ours(parts, tiny_cityscapes, tmp_path):
    out = tmp_path / "out"
    code = run_label(
        *(tiny_cityscapes, out, "--model.init_args.backbone", "my_parts.MeanColour"),
        *("--model.init_args.splitter", "my_parts.OneEach"),
        *("--data.init_args.depth", "my_parts.HalvedDepth"),
        *("--data.init_args.depth.init_args.root", str(tiny_cityscapes / "depth")),
        *("--fitter.init_args.kmeans", "my_parts.DrawnCentroids"),
        *("--fitter.init_args.kmeans.init_args.k", "5"),
        *("--model.init_args.confidence", "my_parts.LargeObjects"),
        *("--thingness.init_args.rule", "my_parts.RareClusters"),
        *("--thingness.init_args.rule.init_args.most", "0.3"),
        "--model.init_args.segmentation",
        "relief.models.labelling.refined_segmentation.RefinedSegmentation",
        *("--model.init_args.segmentation.init_args.refiner", "my_parts.Smoothed"),
    )
    assert code == 0
    store = LabelStore(out)
    assert store.manifest.k == 5
    for key in store.keys:
        panoptic = store.panoptic(key)
        objects = {tuple(pair) for pair in panoptic[panoptic[..., 1] > 0].unique(dim=0).tolist()}
        assert len({category for category, _ in objects}) == len(objects)
    assert any((store.panoptic(key)[..., 1] > 0).any() for key in store.keys)


def test_a_depth_model_and_a_folder_of_ours(parts, tiny_cityscapes, tmp_path):
    out, folder = tmp_path / "out", tiny_cityscapes / "leftImg8bit" / "val" / "bonn"
    arguments = [
        *("--config", str(ROOT / "tests" / "configs" / "label" / "tiny.yaml"), "--out", str(out)),
        *("--data", "my_parts.FlatFolder", "--data.init_args.root", str(folder)),
        *("--model.init_args.depth", "my_parts.HigherIsFarther"),
    ]
    assert cli.exit_code(label.main, arguments) == 0
    assert LabelStore(out).keys == sorted(path.stem for path in folder.glob("*.png"))


def test_the_command_for_a_published_transformer_is_understood(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(cli, "check_weights", lambda values, recipes: None)
    command = re.search(r"    python label\.py (.*timm_vit.*)", PARTS.replace("\\\n ", ""))
    arguments = shlex.split(command[1].replace("DIR", str(tmp_path)))
    parsed = label.LabelCLI(
        arguments, tmp_path / "out", run=False, trainer_defaults=cli.QUIET_TRAINER
    )
    backbone, geometry = parsed.model.backbone, parsed.model.geometry
    assert backbone.model == "vit_small_patch8_224.dino"
    assert backbone.supervision in {None, "None"}  # which of them, the parser decides
    assert backbone.weights == "weights/dino_vits8.safetensors"
    assert (geometry.short_side_px, geometry.window_px, geometry.stride_px) == (320, 320, 160)


def test_a_splitter_numbers_from_one(parts):
    semantic = torch.tensor([[[3, 3, -1], [1, 0, 5]], [[5, 5, 5], [5, 5, 5]]])
    things = torch.tensor([False, True, False, True, False, True])
    observation = Observation(semantic=semantic, things=things)
    instance = parts.OneEach().split(observation).instance
    assert instance.tolist() == [[[2, 2, 0], [1, 0, 3]], [[1, 1, 1], [1, 1, 1]]]


def test_an_augmentation_of_ours_moves_all_maps(parts):
    def upside_down(name):
        return torch.equal(moved[name], batch[name].flip(-2))

    batch, moves = drawn_batch(), set()
    for seed in range(8):
        torch.manual_seed(seed)
        moved = parts.UpsideDown()(batch, MOMENT)
        turned = {upside_down(name) for name in ("image", "semantic", "light", "copies")}
        assert len(turned) == 1
        moves |= turned
    assert moves == {True, False}


def test_a_network_of_ours_is_taught_by_a_criterion_and_a_teacher_of_ours(
    parts, tiny_cityscapes, tmp_path
):
    (block,) = re.findall(r"```yaml\n(network:.*?)```", PARTS, re.DOTALL)
    labels = {"class_path": "relief.sources.ground_truth.GroundTruthLabels"}
    labels["init_args"] = {"root": str(tiny_cityscapes)}
    data = {"root": str(tiny_cityscapes), "labels": labels, "size": [32, 64], "num_workers": 0}
    recipe = {
        "model": {"class_path": "lightning_modules.panoptic_segmenter.PanopticSegmenter"},
        "data": {"class_path": "datamodules.pseudo_labels.PseudoLabels", "init_args": data},
        "trainer": {
            "accelerator": "cpu", "max_steps": 2, "val_check_interval": 2, "log_every_n_steps": 1,
            "check_val_every_n_epoch": None, "num_sanity_val_steps": 0,
            "enable_progress_bar": False, "enable_model_summary": False,
        },
    }  # fmt: skip
    recipe["model"]["init_args"] = yaml.safe_load(block)
    path, out = tmp_path / "ours.yaml", tmp_path / "out"
    path.write_text(yaml.safe_dump(recipe))
    assert train.main(["fit", "--config", str(path), "--out", str(out)]) == 0
    last = torch.load(out / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["network"] == {
        "class_path": "my_parts.ColourRegions", "init_args": {"width": 16},
    }  # fmt: skip
    assert last["state_dict"]["teacher.head.weight"].shape == (20 - 8, 16, 1, 1)
    lines = (out / "metrics.csv").read_text().splitlines()
    assert {"train/loss_regions", "train/loss_agreement", "val/teacher_pq"} <= {
        *lines[0].split(",")
    }


class TestColourRegions(NetworkContract):
    @pytest.fixture(autouse=True)
    def page(self, parts):
        self.parts = parts

    def network(self):
        torch.manual_seed(0)
        return self.parts.ColourRegions(NUM_THINGS, NUM_REGIONS)


def test_a_teacher_of_ours_slows_down(parts):
    teacher = parts.SlowingTeacher(decay=0.9)
    assert [teacher.decay_at(number) for number in (1, 4)] == pytest.approx([0.9, 0.95])


def test_a_format_of_ours_is_scored(parts, tmp_path):
    truth = np.stack([np.repeat([[0, 13]], 4, 0), np.repeat([[0, 2]], 4, 0)], axis=-1)
    np.save(tmp_path / "a.npy", truth)

    class Truth:
        label_space, root = CITYSCAPES_19, Path()

        def target_path(self, key):
            return Path(key)

        def target(self, key):
            return torch.from_numpy(truth)

    labels: LabelReader = parts.NumpyLabels(str(tmp_path))
    images = read_scored_images(labels, Truth())
    assert images.semantic.pixels[0, 0] == images.semantic.pixels[13, 13] == 4


@pytest.mark.parametrize("page", ["reproduce.md", "parts.md", "benchmarks.md", "house.md"])
def test_pages_name_files_that_exist(page):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    named = set(
        re.findall(
            r"\b(?:configs|relief|tests|benchmarks|callbacks|datamodules|lightning_modules)/[\w/]+\.(?:yaml|md|py)",
            text,
        )
    )
    assert {name for name in named if not (ROOT / name).is_file()} == set()
    studies = re.findall(r"evaluate\.py study (\w+)", text)
    assert {
        name for name in studies if not (ROOT / f"configs/studies/{name}.yaml").is_file()
    } == set()


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PLACEHOLDERS = {  # what stands for a name that a parser looks up; folders need not exist
    ("label", "FILE"): "configs/label/sample.yaml",
    ("label", "outputs/train/cause_head_folder/backbone.yaml"): "configs/backbone/sample.yaml",
    ("train", "FILE"): "configs/train/sample.yaml",
    ("evaluate", "NAME"): "table_1",
}


def commands(text: str) -> Iterator[str]:
    """Arguments of our scripts in a page, script first: of blocks of code and of `code` in lines.

    What follows two blanks is an explanation.
    """
    blocks = re.findall(r"^```\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    indented = "\n".join(line[4:] for line in text.splitlines() if line.startswith("    "))
    for block in (*blocks, indented):
        for line in re.sub(r"\s*\\\n\s*", " ", block).splitlines():
            yield from re.findall(r"(?:^|\s)python ((?:label|evaluate|train)\.py(?: \S+)*)", line)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    for code in re.findall(r"`([^`]+)`", prose):
        words = " ".join(code.split())
        yield from re.findall(r"(?:^|\s)python ((?:label|evaluate|train)\.py.*)", words)


def documented() -> list[str]:
    found = [command for page in PAGES for command in commands(page.read_text(encoding="utf-8"))]
    return sorted(set(found))


class LabelRecipe(label.LabelCLI):
    """Parses only: no weights, no images, no processes."""

    def before_instantiate_classes(self):
        pass

    def instantiate_classes(self):
        pass


def parse_label(arguments):
    LabelRecipe(cli.with_default_config(arguments, "label/sample.yaml"), Path("x"), run=False)


def parse_train(arguments):
    subcommand, *options = arguments or ["fit"]
    if subcommand == "rounds":
        rounds_of(parse_rounds(options))
        return
    TrainRecipe([subcommand, *cli.with_default_config(options, "train/sample.yaml")], Path("x"))


PARSERS = {"label": parse_label, "train": parse_train, "evaluate": lambda a: parse_evaluate(*a)}


def parse(command: str) -> None:
    script, *arguments = shlex.split(command)
    name = script.removesuffix(".py")
    PARSERS[name]([PLACEHOLDERS.get((name, argument), argument) for argument in arguments])


@pytest.mark.parametrize("command", documented())
def test_documented_commands_parse(command, parts, monkeypatch):
    monkeypatch.chdir(ROOT)
    parse(command)


def test_commands_are_found_where_they_stand():
    text = """
    python label.py --config a \\
      --out b        what it does
```
python train.py                    alone, after `python evaluate.py sweep`
srun python label.py --config c \\
    --limit 3
```
and `python evaluate.py
labels --labels x`, `python labels.py`.
"""
    assert list(commands(text)) == [
        "train.py",
        "label.py --config c --limit 3",
        "label.py --config a --out b",
        "evaluate.py labels --labels x",
    ]


@pytest.mark.parametrize(
    "command",
    [
        "label.py --config configs/label/sample.yaml --data.init_args.rot x",
        "label.py --config FILE --limit few",
        "train.py fit --config FILE --model.init_args.nothing 1",
        "train.py --out x",
        "train.py rounds --round 3",
        "evaluate.py study pixel_level --rot x",
        "evaluate.py labels --label x",
    ],
)
def test_a_wrong_command_would_be_found(command, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(ArgumentError):
        parse(command)


@pytest.fixture
def flat_data_set(tmp_path):
    """Two images of another layout and other ids: a floor (3) with a box (8)."""
    for folder in ("photos", "truth"):
        (tmp_path / "flat" / folder).mkdir(parents=True)
    ids = np.full((32, 64), 3, np.uint16)
    ids[8:16, 8:24] = 8001
    for key in ("one", "two"):
        cv2.imwrite(str(tmp_path / "flat" / "truth" / f"{key}.png"), ids)
        cv2.imwrite(str(tmp_path / "flat" / "photos" / f"{key}.png"), (ids % 251).astype(np.uint8))
    return tmp_path / "flat"


class TestFlatSource(SourceContract):
    @pytest.fixture
    def source(self, parts, flat_data_set):
        return parts.FlatSource(str(flat_data_set))


def test_a_source_of_ours_is_trained_on_and_cityscapes_measured_on(
    parts, flat_data_set, tiny_cityscapes
):
    ours = parts.FlatSource(str(flat_data_set))
    cityscapes = CityscapesSource(str(tiny_cityscapes), "val", "cityscapes27")
    options = {"source": ours, "validation": cityscapes, "size": (32, 64), "num_workers": 0}
    labelled = PseudoLabels("", GroundTruthLabels(source=ours), **options)
    for data in (labelled, UnlabelledImages(**options)):
        data.setup("fit")
        assert [item.image_path for item in data.items] == [ours.image_path(k) for k in ours.keys]
        batch = next(iter(data.val_dataloader()))
        assert batch["key"] == [cityscapes.keys[0]]
        assert torch.equal(batch["target"][0].long(), cityscapes.target(cityscapes.keys[0]))
        assert data.label_space.name == "cityscapes27"
    assert labelled.training_set()[0]["image"].shape == (3, 32, 64)
    swapped = UnlabelledImages(str(tiny_cityscapes), validation=ours, num_workers=0)
    assert swapped.label_space.names == ("floor", "box")
    assert next(iter(swapped.val_dataloader()))["key"] == ["one"]
