import re
import shlex
from pathlib import Path

import pytest

import cli
import evaluate
import label
from relief.formats.label_store import semantic_path
from relief.schema.errors import UsageError
from relief.studies.published.pixel_level import PixelLevelStudy, PixelRow
from relief.studies.study import StudyData
from tests.relief.studies.tiny import KEYS, draw_store, draw_tree

ROOT = Path(__file__).parents[4]


def test_the_published_figures_stand_below_ours(tmp_path):
    root, store = draw_tree(tmp_path), draw_store(tmp_path / "labels")
    published = {"miou": 40.4, "pq": 23.1}
    study = PixelLevelStudy([PixelRow("ours", str(store), published=published)], str(root))
    result = study.run()
    (run,) = result.runs
    (table,) = result.tables
    assert table.columns == (*("", "mIoU", "accuracy", "PQ", "PQ stuff", "PQ things", "SQ", "RQ"),)
    assert table.rows[0][:3] == ["ours", run["miou"], run["pixel_accuracy"]]
    assert table.rows[1] == ["  published", 40.4, None, 23.1, *[None] * 4]
    assert result.notes == [
        "In percent, 3 images of val; protocol seed at ground-truth size, as published "
        "(evaluate.py labels compares `seed` at short side 512). Things are connected regions of a "
        "class, at least 10 px."
    ]
    assert result.failures == []


def test_the_note_says_another_size(tmp_path):
    root, store = draw_tree(tmp_path), draw_store(tmp_path / "labels")
    study = PixelLevelStudy([PixelRow("ours", str(store))], str(root), short_side_px=24)
    assert "protocol seed at short side 24. Things" in study.run().notes[0]


def test_rows_over_other_images_are_told_apart(tmp_path):
    root = draw_tree(tmp_path)
    few, all_of_them = draw_store(tmp_path / "few", KEYS[:2]), draw_store(tmp_path / "all")
    semantic_path(all_of_them, KEYS[1]).write_bytes(b"no picture")
    rows = [PixelRow("few", str(few)), PixelRow("all", str(all_of_them))]
    result = PixelLevelStudy(rows, str(root)).run()
    names = ["few (2 of 3 images)", "all (2 of 3 images)"]
    assert [run["name"] for run in result.runs] == names
    assert [row[0] for row in result.tables[0].rows] == names
    assert result.notes[1] == (
        "Not comparable, some images are missing: few, all. Label all of them."
    )
    (line,) = result.failures
    assert line.startswith("all: cannot read label")


@pytest.mark.parametrize(
    ("rows", "options", "said"),
    [
        ([PixelRow("a", "x"), PixelRow("a", "y")], {}, "2 rows have one name: a. Give each"),
        ([PixelRow("a", "x", codebook_of="b")], {}, r"unknown row: b\. Use one of a\."),
        ([PixelRow("a", "x", published={"mIoU": 1.0})], {}, r"unknown figure: mIoU\. Use one of"),
        ([PixelRow("a", "x")], {"figures": ["iou"]}, r"unknown figure: iou\. Use one of miou, "),
    ],
)
def test_names_that_mean_nothing_are_refused(rows, options, said):
    with pytest.raises(UsageError, match=said):
        PixelLevelStudy(rows, **options)


def test_another_folder_and_split_take_the_place_of_its_own():
    study = PixelLevelStudy([PixelRow("a", "x")], "there")
    moved = study.on(StudyData(root="here", split="train"))
    assert (moved.root, moved.split, moved.rows) == ("here", "train", study.rows)
    assert (study.on(StudyData()).root, study.root) == ("there", "there")
    with pytest.raises(
        UsageError, match=r"reads the label stores of its rows: --labels\. Leave it"
    ):
        study.on(StudyData(labels=("x",)))


def commands_in(text):
    return re.findall(r"`(python label\.py [^`]*)`", text)


def test_a_missing_store_is_told_with_the_command_that_makes_it(tmp_path):
    absent = PixelRow("CRF", str(tmp_path / "none"), ["--config", "x.yaml"], codebook_of="ours")
    with pytest.raises(UsageError, match=r"no labels found: .*none\. Run `python") as error:
        PixelLevelStudy([absent, PixelRow("ours", "x")], "a b").run()
    expected = (
        "python label.py --config x.yaml --data.init_args.root 'a b' --data.init_args.split val"
    )
    assert commands_in(str(error.value)) == [expected]
    root, store = draw_tree(tmp_path), draw_store(tmp_path / "labels")
    (store / "codebook.safetensors").touch()
    result = PixelLevelStudy([PixelRow("ours", str(store)), absent], str(root)).run()
    assert len(result.runs) == 1
    assert result.notes[-1].startswith("Left out, no labels: CRF. `python label.py")
    (command,) = commands_in(result.notes[-1])
    assert command.endswith(f" val --codebook {store}/codebook.safetensors")


def test_rows_of_the_sample_are_made_first_and_the_table_says_what_they_are_of(tmp_path):
    root, store = draw_tree(tmp_path), draw_store(tmp_path / "labels")
    rows = [
        PixelRow("one", str(store), ["--config", "x.yaml"], make=True),
        PixelRow("two", str(store), ["--config", "y.yaml"], codebook_of="one", make=True),
        PixelRow("CRF", "none", ["--config", "z.yaml"], codebook_of="one"),
    ]
    study = PixelLevelStudy(rows, str(root), about="the sample; published is Cityscapes")
    images = ["--data.init_args.root", str(root), "--data.init_args.split", "val"]
    assert study.label_commands() == [
        ["--config", "x.yaml", *images],
        ["--config", "y.yaml", *images, "--codebook", f"{store}/codebook.safetensors"],
    ]
    result = study.run()
    (table,) = result.tables
    assert table.title == (
        "Pixels (the sample; published is Cityscapes), the published figures below ours"
    )
    assert result.notes[-1].startswith("Left out, no labels: CRF. `python label.py --config z.yaml")


STORES = {
    "pixel_level": ["cityscapes_probe27", "k300", "k300_crf"],
    "multi_scale": ["cityscapes_probe27", "probe27_crf", "probe27_scales", "probe27_scales_crf"],
}


@pytest.mark.parametrize("name", STORES)
def test_configured_studies_run_on_stores_at_their_places(name, tmp_path, monkeypatch):
    root = draw_tree(tmp_path / "city")
    monkeypatch.chdir(tmp_path)
    for folder in STORES[name]:
        draw_store(tmp_path / "outputs" / "label" / folder)
    assert cli.exit_code(evaluate.main, ["study", name, "--root", str(root)]) == 0
    lines = (tmp_path / f"outputs/studies/{name}/table.csv").read_text().splitlines()
    assert len(lines) == 1 + len(STORES[name])
    shown = (tmp_path / f"outputs/studies/{name}/table.md").read_text()
    published = [line.split("|")[2].strip() for line in shown.splitlines() if "  published" in line]
    expected = {
        "pixel_level": ["40.4", "60.7", "54.4"],
        "multi_scale": ["40.4", "42.9", "42.1", "43.9"],
    }
    assert published == expected[name]


@pytest.mark.parametrize("name", STORES)
def test_printed_commands_are_those_of_the_labelling_script(
    name, tmp_path, monkeypatch, capsys, without_weights
):
    city = draw_tree(tmp_path / "a city")
    first, *others = STORES[name]
    store = draw_store(tmp_path / "outputs" / "label" / first)
    (store / "codebook.safetensors").touch()
    monkeypatch.chdir(tmp_path)
    assert cli.exit_code(evaluate.main, ["study", name, "--root", str(city)]) == 0
    commands = commands_in(capsys.readouterr().out)
    monkeypatch.chdir(ROOT)
    outs = []
    for command in commands:
        python, script, *arguments = shlex.split(command)
        assert (python, script) == ("python", "label.py")
        outs.append(parse_label(arguments))
    assert [out.name for out in outs] == others


@pytest.fixture
def without_weights(monkeypatch):
    monkeypatch.setattr(cli, "check_weights", lambda values, recipes: None)


def parse_label(arguments):
    out = cli.default_out("label", arguments)
    parsed = label.LabelCLI(arguments, out, run=False, trainer_defaults=cli.QUIET_TRAINER)
    assert parsed.datamodule.source.root.name == "a city"
    assert parsed.datamodule.source.split == "val"
    return parsed.out
