"""Every configuration goes through the parser of its script; no weights, no images."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

import cli
import evaluate
import label
import train
from relief.models.labelling.refined_segmentation import RefinedSegmentation
from relief.models.weights.configured import needed_weights
from relief.studies import cache_depth
from relief.studies.detector_rounds import RoundsRequest, rounds_of
from relief.studies.requests import parse_request

ROOT = Path(__file__).parents[1]


def configs(folder: str) -> list[str]:
    return sorted(
        p.relative_to(ROOT).as_posix() for p in (ROOT / "configs" / folder).glob("*.yaml")
    )


PIECES = ("backbone", "confidence", "depth", "fitter", "geometry", "splitter", "thingness")


def parse_label(*arguments: str) -> label.LabelCLI:
    return label.LabelCLI(arguments, Path("unused"), run=False, trainer_defaults=cli.QUIET_TRAINER)


def parse_evaluate(*arguments: str) -> Any:
    requests = {name: request for name, (request, _) in evaluate.COMMANDS.items()}
    name, request = parse_request(requests, arguments, ROOT / "configs" / "studies")
    assert name.split("-") == list(arguments[: 1 + name.count("-")])
    return request


class TrainRecipe(train.TrainCLI):
    """Parses only: parts for training need the classes of labels that are not there."""

    def before_instantiate_classes(self):
        pass

    def instantiate_classes(self):
        pass

    def _run_subcommand(self, subcommand):
        pass


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture
def without_weights(monkeypatch):
    """Nothing is read when parts are made, so that no weights are needed to try a recipe."""
    monkeypatch.setattr(cli, "check_weights", lambda values, recipes: None)


def test_every_folder_of_configs_is_looked_at():
    folders = {p.name for p in (ROOT / "configs").iterdir()}
    assert folders == {*PIECES, "label", "rounds", "studies", "sweep", "train"}
    for piece in PIECES:  # a piece is there because several recipes name it
        recipes = [Path(name).read_text() for name in configs("label")]
        used = sum(f"../{piece}/" in text for text in recipes)
        assert used > 1, piece


@pytest.mark.parametrize("config", configs("rounds"))
def test_recipes_of_rounds_name_recipes(config):
    request = RoundsRequest(**yaml.safe_load((ROOT / config).read_text()))
    for script, arguments, _ in rounds_of(request)[0].commands:
        if "--config" in arguments:
            named = arguments[arguments.index("--config") + 1]
            assert named in configs("train" if script == "train.py" else "label")


@pytest.mark.parametrize("config", configs("label"))
def test_label_recipes(config, without_weights):
    parsed = parse_label("--config", config)
    assert parsed.option("limit") is None
    assert parsed.resolved_yaml()


def network_and_predictor(config: str) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """The network that a recipe names, if it does not take that of a checkpoint."""
    init = yaml.safe_load((ROOT / config).read_text())["model"]["init_args"]
    return init.get("network"), init["predictor"]


@pytest.mark.parametrize(
    "config",
    [
        "configs/train/sample_ground_truth.yaml",
        "configs/train/sample_stage3.yaml",
        "configs/label/sample_detector.yaml",
    ],
)
def test_recipes_beside_that_of_the_sample_have_its_network_and_predictor(config):
    network, predictor = network_and_predictor("configs/train/sample.yaml")
    own, seen = network_and_predictor(config)
    assert seen == predictor
    assert own == (network if config.endswith("ground_truth.yaml") else None)


@pytest.mark.parametrize("config", configs("train"))
def test_train_recipes(config, without_weights):
    arguments = ["fit", "--config", config]
    parsed = TrainRecipe(arguments, Path("unused"))
    assert parsed.config.fit.model.class_path.startswith("lightning_modules.")


@pytest.mark.parametrize("config", [*configs("label"), *configs("train")])
def test_photographs_are_read_by_processes_of_their_own(config):
    """The sample's images are small, and its recipes run where cores are few."""
    data = yaml.safe_load((ROOT / config).read_text())["data"]["init_args"]
    sides = [data[name]["init_args"] for name in ("labelled", "unlabelled") if name in data]
    few = any(side.get("num_workers", 0) == 0 for side in sides or [data])
    assert not few or "sample" in Path(config).name


@pytest.mark.parametrize(("accelerator", "visible"), [("cpu", ""), ("auto", "1")])
def test_a_run_on_the_cpu_sees_no_gpu(accelerator, visible, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    parse_label("--config", "configs/label/sample.yaml", "--trainer.accelerator", accelerator)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == visible


@pytest.mark.parametrize("config", configs("sweep"))
def test_sweeps(config, without_weights):
    request = parse_evaluate("sweep", "--config", config)
    for arguments in {tuple(source.label_args) for source in request.sources} - {()}:
        parse_label(*arguments)


@pytest.mark.parametrize(
    "config", [c for c in configs("studies") if "\nstudy:" in (ROOT / c).read_text()]
)
@pytest.mark.parametrize("root", [(), ("--root", "CITYSCAPES")])
def test_studies(config, root, without_weights):
    request = parse_evaluate("study", Path(config).stem, *root)
    assert request.name == Path(config).stem
    for part in (request.study, *getattr(request.study, "rows", [])):
        if getattr(part, "label_args", []):
            parse_label(*part.label_args)
    of_seeds = getattr(request.study, "runs_of_seed", {})
    for run in (run for runs in of_seeds.values() for run in runs):
        named = run.arguments[run.arguments.index("--config") + 1]
        assert named in configs("train" if run.script == "train.py" else "label")


@pytest.mark.parametrize("config", configs("studies/sample"))
def test_studies_of_the_sample_need_nothing_that_is_not_here(config):
    for path in needed_weights(Path(config)):
        assert Path(path).is_file()
    published, sample = (
        yaml.safe_load((ROOT / "configs/studies" / name / Path(config).name).read_text())
        for name in ("", "sample")
    )
    rows = [
        [row["published"] for row in values["study"]["init_args"]["rows"] if "published" in row]
        for values in (published, sample)
    ]
    assert rows[1] == rows[0][: len(rows[1])]
    assert len(rows[1]) >= len(rows[0]) - 1  # raw DINOv2 is not here


@pytest.mark.parametrize("config", configs("depth"))
def test_depth_models(config):
    options = cache_depth._parser().parse_args(["--depth", config, "--root", "x", "--out", "y"])
    assert cache_depth._parser().instantiate(options).depth is not None


def test_a_depth_tree_takes_the_place_of_the_network(without_weights):
    parsed = parse_label(
        *("--config", "configs/label/cityscapes.yaml", "--model.init_args.depth", "null"),
        *("--data.init_args.depth", "relief.formats.depth_files.FolderDepth"),
        *("--data.init_args.depth.init_args.root", "CITYSCAPES/depth_spidepth"),
    )
    assert parsed.model.depth is None
    assert parsed.datamodule.depth.root == Path("CITYSCAPES/depth_spidepth")


def test_a_refinement_takes_other_numbers_from_the_command_line(without_weights):
    parsed = parse_label(
        *("--config", "configs/label/cityscapes_multi_scale.yaml"),
        *("--model.init_args.segmentation.init_args.keeps_aspect", "false"),
        "--model.init_args.segmentation.init_args.refiner",
        "relief.models.refiners.dense_crf.DenseCRF",
    )
    segmentation = parsed.model.segmentation
    assert isinstance(segmentation, RefinedSegmentation)
    assert segmentation.scales == (0.75, 1.0, 1.5)
    assert not segmentation.keeps_aspect
    assert segmentation.refiner.bilateral_sxy_px == 67


def test_the_published_pipeline_has_the_published_numbers():
    values = yaml.safe_load(Path("configs/label/cityscapes_k80.yaml").read_text())
    model = values["model"]["init_args"]
    assert model["splitter"]["init_args"] == {"gradient_threshold": 0.2, "min_area_px": 1000}
    assert model["split_short_side_px"] == 512
    assert model["codebook"]["init_args"]["k"] == 80
    assert model["geometry"] == "../geometry/published_322.yaml"
    assert "fitter" not in values
    fit = yaml.safe_load(Path("configs/label/cityscapes_published_fit.yaml").read_text())
    assert fit["model"]["init_args"].pop("codebook") != model.pop("codebook")
    assert fit["model"] == values["model"]
    assert fit["data"]["init_args"]["fit_split"] == "val"
    kmeans = fit["fitter"]["init_args"]["kmeans"]["init_args"]
    assert kmeans == {"k": 80, "batch_size": 10000, "max_iterations": 300, "starts": 3, "seed": 42}


@pytest.mark.parametrize("config", [*configs("label"), *configs("train"), *configs("depth")])
def test_the_source_of_every_weight_is_known(config):
    unknown = {n for n, source in needed_weights(Path(config)).items() if source is None}
    assert {name for name in unknown if name.startswith("weights/")} == set()


def test_windows_that_leave_gaps_are_told_in_a_line_before_any_work(tmp_path, capsys):
    code = cli.exit_code(
        label.main,
        [
            *("--config", "configs/label/sample.yaml", "--out", str(tmp_path / "out")),
            *("--model.init_args.geometry.init_args.stride_px", "400"),
        ],
    )
    assert capsys.readouterr().err == (
        "error: windows leave gaps or do not move: stride_px 400 with window_px 322. "
        "Set stride_px from 1 to 322.\n"
    )
    assert code == 2
    assert not (tmp_path / "out").exists()


def test_missing_weights_stop_with_the_command_to_type(tmp_path, capsys, monkeypatch):
    config = str(ROOT / "configs" / "label" / "cityscapes_probe27.yaml")
    monkeypatch.chdir(tmp_path)
    code = cli.exit_code(label.main, ["--config", config, "--out", str(tmp_path / "out")])
    lines = capsys.readouterr().err.strip().splitlines()
    assert code == 2
    assert len(lines) == 1
    assert f"`python -m relief.models.weights get --config {config}`" in lines[0]
    assert "weights/cause/cluster_tr.safetensors" in lines[0]
    assert not (tmp_path / "out").exists()
    small = "weights/dinov2_vits14.safetensors"
    option = "--model.init_args.backbone.init_args.backbone"
    assert cli.exit_code(label.main, ["--config", config, option, small]) == 2
    command = "python -m relief.models.weights get weights/cause/cluster_tr.safetensors"
    assert command in (told := capsys.readouterr().err)
    assert f" {small}`." in told
