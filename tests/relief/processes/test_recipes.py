from pathlib import Path

import pytest

from relief.processes import recipes as module
from relief.processes.recipes import (
    first_sentence,
    listed_recipes,
    recipe_file,
    shipped_file,
    with_recipe_files,
)

ROOT = Path(__file__).parents[3]


def test_recipes_are_found_by_name_and_by_their_place_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ours = str(ROOT / "configs/label/sample.yaml")
    assert recipe_file("sample", "label") == ours
    assert recipe_file("configs/label/sample.yaml") == ours
    assert recipe_file("sample", "nothing") == "sample"  # the parser says that it is missing


def test_weights_that_come_with_relief_are_found_from_anywhere(tmp_path, monkeypatch):
    weights = "relief/samples/weights/cause_tr_sample.safetensors"
    monkeypatch.chdir(tmp_path)
    assert shipped_file(weights) == str(ROOT / weights)
    monkeypatch.setattr(module, "FOLDER", tmp_path)  # as in a wheel, where rooms lie elsewhere
    assert shipped_file(weights) == str(ROOT / weights)
    assert shipped_file("weights/none.pth") == "weights/none.pth"


def test_a_file_of_ones_own_goes_before_a_recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("sample").touch()
    assert recipe_file("sample", "label") == "sample"


@pytest.mark.parametrize("given", [["--config", "sample"], ["-c", "sample"], ["--config=sample"]])
def test_arguments_name_recipes(given):
    path = str(ROOT / "configs/label/sample.yaml")
    expected = [argument.replace("sample", path) for argument in given]
    assert with_recipe_files([*given, "--out", "sample"], "label") == [*expected, "--out", "sample"]


def test_an_argument_without_its_value_is_left_to_the_parser():
    assert with_recipe_files(["--config"], "label") == ["--config"]


def test_every_recipe_is_listed_with_a_line():
    listed = list(listed_recipes())
    assert ("label", "image_folder") in [(command, name) for command, name, _ in listed]
    assert {command for command, _, _ in listed} == set(module.KINDS)
    assert [str(file) for _, _, file in listed if not first_sentence(file)] == []


def test_a_sentence_may_go_over_lines(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("# Labels of\n# photographs. More.\nmodel: x\n# not this\n")
    assert first_sentence(file) == "Labels of photographs"
    file.write_text("model: x\n")
    assert first_sentence(file) == ""
