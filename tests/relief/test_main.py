import subprocess
import sys

import pytest

from relief import __main__ as module
from relief.__main__ import main


def test_help_names_the_commands(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("label|train|evaluate", "recipes"))


def test_recipes_are_listed(capsys):
    assert main(["recipes"]) == 0
    (line,) = [one for one in capsys.readouterr().out.splitlines() if " image_folder " in one]
    assert line.startswith("label ") and "Any folder of photographs" in line


def test_doctor_prints_its_lines(monkeypatch, capsys):
    monkeypatch.setattr("relief.reports.doctor.doctor_lines", lambda: ["a", "b"])
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out == "a\nb\n"


def test_help_and_recipes_load_no_heavy_library():
    code = (
        "import sys; from relief.__main__ import main; main(['recipes']); main(['--help'])\n"
        "sys.exit(len({'torch', 'numpy', 'pytorch_lightning'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


@pytest.mark.parametrize("args", [["labels"], ["recipes", "label"]])
def test_another_command_is_refused_in_a_line(args, capsys):
    assert main(args) == 2
    assert capsys.readouterr().err.startswith(f"error: no such command: relief {' '.join(args)}. ")


def test_scripts_run_with_the_arguments_that_follow_and_their_exit_code(tmp_path, monkeypatch):
    (tmp_path / "cli.py").write_text("def exit_code(main, args):\n    return main(args)\n")
    (tmp_path / "label.py").write_text("def main(args):\n    return len(args)\n")
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("cli", "label"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert main(["label", "--limit", "3"]) == 2
    for name in ("cli", "label"):
        monkeypatch.delitem(sys.modules, name)
