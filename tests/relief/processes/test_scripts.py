import pytest

from relief.processes import scripts as module
from relief.processes.scripts import make_labels
from relief.schema.errors import UsageError


def test_every_command_runs_and_a_failed_one_stops(tmp_path, monkeypatch):
    script = tmp_path / "label.py"
    script.write_text(
        "import sys, pathlib\npathlib.Path(sys.argv[1]).touch()\nsys.exit(int(sys.argv[2]))"
    )
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    said = []
    make_labels([[str(tmp_path / "a"), "0"], [str(tmp_path / "b"), "0"]], said.append)
    assert (tmp_path / "a").exists() and (tmp_path / "b").exists()
    assert len(said) == 2 and said[0].startswith("labels: python")
    with pytest.raises(UsageError, match=r"exit code 2\)\. Run it alone"):
        make_labels([[str(tmp_path / "c"), "2"], [str(tmp_path / "d"), "0"]], said.append)
    assert not (tmp_path / "d").exists()


def test_what_is_said_can_be_typed(tmp_path, monkeypatch):
    script = tmp_path / "label.py"
    script.write_text("")
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    said = []
    make_labels([["--scales", "[0.75, 1.0]"]], said.append)
    assert said == ["labels: python label.py --scales '[0.75, 1.0]' --if_missing true"]
