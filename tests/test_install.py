"""A wheel of a clean clone works outside of the repository and claims one name."""

import json
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_a_wheel_labels_the_sample_outside_of_the_repository(tmp_path):
    clone, environment, place = (tmp_path / name for name in ("clone", "environment", "place"))
    place.mkdir()
    subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    offline = ["--no-build-isolation", "--no-deps", "--no-index"]
    subprocess.run([*pip, "wheel", *offline, "-w", tmp_path, clone], check=True)
    (wheel,) = tmp_path.glob("relief-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert {name.split("/")[0].partition("-")[0] for name in archive.namelist()} == {"relief"}
    venv.create(environment)
    paths = {"base": str(environment), "platbase": str(environment)}
    packages = Path(sysconfig.get_path("purelib", "venv", paths))
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    interpreter = environment / "bin" / "python"
    install = ["--python", interpreter, "install", "--no-deps", "--no-index", wheel]
    subprocess.run([*pip, *install], check=True)

    command = environment / "bin" / "relief"
    label = [command, "label", "--config", "sample", "--limit", "2", "--out", "labels"]
    run = subprocess.run(label, cwd=place, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    manifest = json.loads((place / "labels" / "manifest.json").read_text())
    assert len(manifest["images"]) == 2
    alone = [interpreter, "-c", "import relief, callbacks"]
    refused = subprocess.run(alone, cwd=place, capture_output=True, text=True)
    assert "No module named 'callbacks'" in refused.stderr
