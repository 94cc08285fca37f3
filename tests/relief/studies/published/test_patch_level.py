from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml
from rich.console import Console
from safetensors.torch import save_file

import cli
import evaluate
from relief.models.codebook_fitters.mini_batch import MiniBatchKMeans
from relief.reports.study_report import study_table
from relief.schema.errors import UsageError, WeightsError
from relief.schema.geometry import WindowGeometry
from relief.studies.published.beside_published import beside_published, published_figures
from relief.studies.published.patch_level import PatchLevelStudy, PatchRow, patch_iou
from relief.studies.study import StudyData, StudyTable
from tests.relief.studies.tiny import draw_tree

ROAD, BUILDING, CAR = 0, 2, 13


class Patches(torch.nn.Module):
    patch_px, dim = 4, 4
    asked = 0

    def setup(self):
        pass

    def forward(self, image):
        self.asked += 1
        pooled = F.avg_pool2d(image, self.patch_px)
        return torch.cat((pooled, torch.full_like(pooled[:, :1], 0.2)), dim=1)


class Fixed:
    k = 2

    def fit(self, features):
        return torch.tensor([[0.0, 0.0, 0.0, 0.1], [5.0, 5.0, 5.0, 5.0]])


def test_iou_is_of_patches_under_the_classes_that_clusters_met():
    clusters = torch.tensor([0, 0, 0, 1, 1, 2])
    classes = torch.tensor([ROAD, ROAD, CAR, CAR, CAR, BUILDING])
    iou = patch_iou(clusters, classes, 4, "majority")
    np.testing.assert_allclose(iou[[ROAD, CAR, BUILDING]], [100 * 2 / 3, 100 * 2 / 3, 100])
    assert np.isnan(np.delete(iou, [ROAD, CAR, BUILDING])).all()


def test_one_to_one_leaves_clusters_over():
    clusters = torch.tensor([0, 0, 1, 1, 1])
    classes = torch.full((5,), ROAD)
    assert patch_iou(clusters, classes, 2, "hungarian")[ROAD] == pytest.approx(60)
    assert patch_iou(clusters, classes, 2, "majority")[ROAD] == pytest.approx(100)


def test_the_study_sees_images_once_and_sets_ours_beside_the_published(tmp_path):
    rows = [
        PatchRow("fixed", "gray", Fixed(), assignment="hungarian", cosine=True),
        PatchRow("k=6", "gray", MiniBatchKMeans(6), published={"mIoU": 41.5, "car": 12.0}),
        PatchRow("k=2", "gray", MiniBatchKMeans(2)),
    ]
    study = PatchLevelStudy(
        {"gray": Patches()},
        rows,
        str(draw_tree(tmp_path)),
        geometry=WindowGeometry(48, 48, 24),
        classes=("car", "sky"),
    )
    result = study.run()
    (table,) = result.tables
    assert table.columns == ("", "mIoU", "car", "sky")
    assert [row[0] for row in table.rows] == ["fixed", "k=6", "  published", "k=2"]
    assert table.rows[2] == ["  published", 41.5, 12.0, None]
    fixed, six, two = result.runs
    assert six["mIoU"] > two["mIoU"]
    assert six["images"] == 3
    # 12x24 patches in each of three images, but for those whose centre is void.
    assert six["patches"] == 3 * (12 * 24 - 2)
    assert 0 < fixed["mIoU"] < 100


@pytest.mark.parametrize(
    ("row", "options", "said"),
    [
        (PatchRow("a", "grey", Fixed()), {}, r"^unknown features: grey\. Use one of gray\.$"),
        (PatchRow("b", "gray", Fixed()), {}, r"^2 rows have one name: b\. Give each its own\.$"),
        (PatchRow("a", "gray", Fixed()), {"classes": ["cat"]}, r"^unknown class: cat\. Use one"),
        (
            PatchRow("a", "gray", Fixed(), published={"miou": 1.0}),
            {},
            r"^unknown figure: miou\. Use one of mIoU, road, ",
        ),
    ],
)
def test_names_that_mean_nothing_are_refused(row, options, said):
    rows = [PatchRow("b", "gray", Fixed()), row]
    with pytest.raises(UsageError, match=said):
        PatchLevelStudy({"gray": Patches()}, rows, **options)


def test_another_folder_and_split_take_the_place_of_its_own():
    study = PatchLevelStudy({"gray": Patches()}, [PatchRow("a", "gray", Fixed())], "there")
    moved = study.on(StudyData(root="here", split="train"))
    assert (moved.root, moved.split, moved.rows) == ("here", "train", study.rows)
    assert (study.on(StudyData()).split, study.root) == ("val", "there")
    with pytest.raises(UsageError, match=r"images and ground truth only: --labels, --depth_root\."):
        study.on(StudyData(labels=("x",), depth_root="y"))


def test_what_cannot_be_loaded_is_told_before_any_image_is_seen(tmp_path):
    class Absent(Fixed):
        def setup(self):
            raise WeightsError("no probe")

    backbone = Patches()
    rows = [PatchRow("a", "gray", Fixed()), PatchRow("b", "gray", Absent())]
    with pytest.raises(WeightsError, match="no probe"):
        PatchLevelStudy({"gray": backbone}, rows, str(draw_tree(tmp_path))).run()
    assert backbone.asked == 0


CONFIG = Path(__file__).parents[4] / "configs" / "studies" / "patch_level.yaml"
COLUMNS = ("mIoU", *("fence", "pole", "traffic light", "traffic sign", "rider"), "train")
PUBLISHED = {  # the table of the publication
    "27 probe": (40.4, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    "k=50": (47.4, 42.2, 0.0, 0.0, 45.3, 0.0, 73.5, 0.0),
    "k=100": (56.9, 44.9, 0.0, 21.1, 44.9, 41.7, 74.9, 0.0),
    "k=200": (59.4, 44.4, 11.1, 34.0, 44.1, 38.5, 75.0, 25.2),
    "k=300": (61.3, 47.4, 20.3, 35.9, 38.4, 42.6, 74.8, 49.2),
    "raw DINOv2, k=300": (46.0, 27.8, 17.0, 33.5, 38.7, 30.6, 0.0, 0.0),
}


@pytest.fixture
def tiny_config(tmp_path):
    """The configured study with statistics of colours in place of networks."""
    values = yaml.safe_load(CONFIG.read_text())
    init = values["study"]["init_args"]
    statistics = "relief.models.backbones.rgb_statistics.RGBStatistics"
    init["features"] = {name: {"class_path": statistics} for name in init["features"]}
    probe = torch.randn(27, 12, generator=torch.Generator().manual_seed(0))
    save_file({"cluster_probe": probe}, tmp_path / "probe.safetensors")
    init["rows"][0]["kmeans"]["init_args"]["path"] = str(tmp_path / "probe.safetensors")
    for row in init["rows"][1:]:
        row["kmeans"]["init_args"] |= {"starts": 1, "max_iterations": 2}
    path = tmp_path / "tiny.yaml"

    def write():
        path.write_text(yaml.safe_dump(values))
        return values, ["study", "--config", str(path), "--out", str(tmp_path / "out")]

    return write


def test_the_configured_study_runs_with_its_rows(tiny_config, tmp_path, capsys):
    _, arguments = tiny_config()
    root = str(draw_tree(tmp_path / "city"))
    assert cli.exit_code(evaluate.main, [*arguments, "--root", root]) == 0
    lines = (tmp_path / "out" / "table.csv").read_text().splitlines()
    assert [line.split(",")[1:3] for line in lines[1:3]] == [["3", "3144"]] * 2
    shown = capsys.readouterr().out
    assert "raw DINOv2, k=300" in shown
    assert "3 images of val; clusters are fitted on, named by and scored against" in shown


def test_the_configured_rows_have_the_published_figures():
    init = yaml.safe_load(CONFIG.read_text())["study"]["init_args"]
    assert init["classes"] == [*COLUMNS[1:], "motorcycle"]
    rows = {row["name"]: row for row in init["rows"]}
    found = {
        name: tuple(row["published"][column] for column in (*COLUMNS, "motorcycle"))
        for name, row in rows.items()
    }
    assert found == PUBLISHED
    ks = [row["kmeans"]["init_args"].get("k", 27) for row in init["rows"]]
    assert ks == [27, 50, 100, 200, 300, 300]
    assert [row["features"] for row in init["rows"]] == ["CAUSE-TR"] * 5 + ["DINOv2"]


def test_the_configured_table_fits_a_terminal(tmp_path):
    columns = (*COLUMNS, "motorcycle")
    runs = [
        {
            "name": name,
            **dict.fromkeys(columns, 100.0),
            **published_figures(dict(zip(columns, row, strict=True))),
        }
        for name, row in PUBLISHED.items()
    ]
    table = StudyTable("x", ("", *columns), beside_published(runs, columns))
    console = Console(width=80, record=True, file=(tmp_path / "screen").open("w"))
    console.print(study_table(table))
    lines = console.export_text().splitlines()
    headings = " ".join(" ".join(lines[:3]).split())
    assert headings == "x traffic traffic mIoU fence pole light sign rider train motorcycle"
    for name, row in PUBLISHED.items():
        (at,) = (i for i, line in enumerate(lines) if line.startswith(f"{name} "))
        assert lines[at].split()[-8:] == ["100.0"] * 8
        assert lines[at + 1].split() == ["published", *map(str, row)]


def test_a_row_of_unknown_features_is_told_in_a_line(tiny_config, capsys):
    values, _ = tiny_config()
    values["study"]["init_args"]["rows"][5]["features"] = "DINO"
    _, arguments = tiny_config()
    assert cli.exit_code(evaluate.main, arguments) == 2
    assert capsys.readouterr().err == (
        "error: unknown features: DINO. Use one of CAUSE-TR, DINOv2.\n"
    )


def test_missing_weights_stop_before_anything_else(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.exit_code(evaluate.main, ["study", "patch_level", "--root", "nowhere"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: weights are missing: weights/cause/cluster_tr.safetensors, ")
    assert f"`python -m relief.models.weights get --config {CONFIG}`" in error
    assert error.count("\n") == 1
