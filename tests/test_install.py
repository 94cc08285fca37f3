"""A wheel of a clean clone works outside of the repository, claims one name, takes an afternoon."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import cv2
import pytest
import yaml

ROOT = Path(__file__).parents[1]
CAMVID = Path(os.environ.get("RELIEF_SHARED", "missing")) / "real" / "camvid"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A fresh environment with the wheel, beside the libraries of this one."""
    folder = tmp_path_factory.mktemp("installed")
    clone, environment = folder / "clone", folder / "environment"
    subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    offline = ["--no-build-isolation", "--no-deps", "--no-index"]
    subprocess.run([*pip, "wheel", *offline, "-w", folder, clone], check=True)
    (wheel,) = folder.glob("relief-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert {name.split("/")[0].partition("-")[0] for name in archive.namelist()} == {"relief"}
    venv.create(environment)
    paths = {"base": str(environment), "platbase": str(environment)}
    packages = Path(sysconfig.get_path("purelib", "venv", paths))
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    interpreter = environment / "bin" / "python"
    install = ["--python", interpreter, "install", "--no-deps", "--no-index", wheel]
    subprocess.run([*pip, *install], check=True)
    return environment / "bin"


def done(place, *words):
    """What a command prints that ends well."""
    run = subprocess.run([str(w) for w in words], cwd=place, capture_output=True, text=True)
    assert run.returncode == 0, f"{words}: {run.stderr}"
    return run.stdout


def test_a_wheel_labels_the_sample_outside_of_the_repository(environment, tmp_path):
    command = (environment / "relief", "label", "--config", "sample", "--limit", 2)
    done(tmp_path, *command, "--out", "labels")
    manifest = json.loads((tmp_path / "labels" / "manifest.json").read_text())
    assert len(manifest["images"]) == 2
    alone = [environment / "python", "-c", "import relief, callbacks"]
    refused = subprocess.run(alone, cwd=tmp_path, capture_output=True, text=True)
    assert "No module named 'callbacks'" in refused.stderr


@pytest.mark.skipif(not CAMVID.is_dir(), reason="photographs: RELIEF_SHARED/real/camvid")
def test_an_afternoon_from_photographs_to_a_video(environment, tmp_path):
    def relief(*words):
        return done(tmp_path, environment / "relief", *words)

    photographs = tmp_path / "photographs"
    photographs.mkdir()
    paths = sorted((CAMVID / "leftImg8bit" / "test").rglob("*.png"))[::6][:12]
    for path in paths:
        shutil.copy(path, photographs)
    relief("label", "--config", "image_folder", "--data.init_args.root", photographs,
           "--out", "labels")  # fmt: skip
    health = json.loads((tmp_path / "labels" / "health.json").read_text())
    assert health
    assert (tmp_path / "labels" / "report.html").stat().st_size > 100_000

    pages = ("--labels", "labels", "--photographs", photographs, "--out", "pages")
    relief("evaluate", "names", *pages)
    page = (tmp_path / "pages" / "names.html").read_text()
    categories = json.loads((tmp_path / "labels" / "panoptic.json").read_text())["categories"]
    assert all(f"cluster {one['id']}" in page.lower() for one in categories[:3])
    (tmp_path / "names.yaml").write_text(yaml.safe_dump(chosen_names(categories)))
    named = ("--labels", "labels", "--names", "names.yaml", "--label_space", "cityscapes19")
    relief("evaluate", "export", *named, "--format", "store", "--out", "named")
    relief("evaluate", "export", *named, "--format", "coco_instances", "--out", "coco")
    relief("evaluate", "export", *named, "--format", "yolo", "--photographs", photographs,
           "--out", "yolo")  # fmt: skip
    objects = json.loads((tmp_path / "coco" / "instances.json").read_text())
    assert len(objects["images"]) == len(paths)
    assert objects["annotations"]
    assert len(list((tmp_path / "yolo").rglob("*.txt"))) >= len(paths)

    relief("train", "fit", "--config", "photographs",
           "--data.init_args.source.init_args.root", photographs,
           "--data.init_args.labels.init_args.out", "named",
           "--trainer.max_steps", 12, "--model.init_args.schedule.init_args.steps", 2)  # fmt: skip
    size = (480, 360)
    writer = cv2.VideoWriter(str(tmp_path / "drive.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 5, size)
    for path in paths[:6]:
        writer.write(cv2.resize(cv2.imread(str(path)), size))
    writer.release()
    checkpoint = "outputs/train/photographs/checkpoints/last.ckpt"
    relief("predict", "--checkpoint", checkpoint, "drive.mp4",
           "--carry_ids", "true", "--out", "predicted")  # fmt: skip
    painted = cv2.VideoCapture(str(tmp_path / "predicted" / "overlays" / "drive.mp4"))
    assert painted.get(cv2.CAP_PROP_FRAME_COUNT) == 6
    panoptic = json.loads((tmp_path / "predicted" / "panoptic.json").read_text())
    assert len(panoptic["images"]) == 6
    names = {one["id"]: one["name"] for one in panoptic["categories"]}
    segments = [part for one in panoptic["annotations"] for part in one["segments_info"]]
    assert {names[part["category_id"]] for part in segments} <= {"road", "building", "car"}
    assert len(segments) >= 6
    supervision = json.loads((tmp_path / "predicted" / "prediction.json").read_text())
    assert "names given by hand" in supervision["supervision"]


def chosen_names(categories):
    """Three names for clusters, as a person gives them on the page: things are cars."""
    things = [one["id"] for one in categories if one["isthing"]]
    stuff = [one["id"] for one in categories if not one["isthing"]]
    half = len(stuff) // 2
    return {"road": stuff[:half], "building": stuff[half:], "car": things}
