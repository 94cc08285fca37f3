import torch

from relief.processes.recipes import RECIPES
from relief.reports import doctor as module
from relief.reports.doctor import doctor_lines, installed, missing_files


def test_missing_weights_of_a_recipe_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe = tmp_path / "a.yaml"
    recipe.write_text("model:\n  weights: [mine.pth, theirs.pth]\n")
    (tmp_path / "mine.pth").touch()
    assert missing_files(recipe) == ["theirs.pth"]
    assert missing_files(RECIPES / "label" / "sample.yaml") == []


def test_lines_say_versions_memory_devices_and_recipes(tmp_path, monkeypatch):
    recipe = tmp_path / "a.yaml"
    recipe.write_text("model:\n  weights: none.pth\n")
    monkeypatch.setattr(module, "listed_recipes", lambda: [("label", "a", recipe)])
    lines = "\n".join(doctor_lines())
    assert f"torch             {torch.__version__.partition('+')[0]}" in lines
    assert "GiB of memory" in lines and "\ndevice  " in lines
    assert "label   a                           misses none.pth" in lines


def test_a_gpu_tells_its_memory(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda i: (2**30, 2**32))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda i: "Card")
    assert list(module.device_lines()) == ["device            cuda:0 Card, 1.0 of 4.0 GiB free"]


def test_a_package_that_is_not_there_has_no_version():
    assert installed("no-such-package-of-anybody") is None
