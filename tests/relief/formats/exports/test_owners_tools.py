"""Exports open in the tools that they are for, each in an environment of its own."""

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from relief.formats.exports.coco import CocoInstancesExport
from relief.formats.exports.hugging_face import HuggingFaceDataset
from relief.formats.exports.label_studio import LabelStudio
from relief.formats.exports.yolo import YoloSegmentation
from tests.relief.formats.exports.drawn import KEYS, SIZE, draw_labels, panoptic_of

pytestmark = pytest.mark.slow

AREAS = {key: [int((panoptic_of(key)[..., 1] == i).sum()) for i in (1, 2)] for key in KEYS}


def environment(folder, *packages):
    """Installs libraries apart from those of this environment; skips where that cannot be."""
    venv.create(folder)
    python = folder / "bin" / "python"
    uv = Path(sys.executable).with_name("uv")
    command = [uv, "pip", "install", "-q", "--python", python, *packages]
    made = subprocess.run(command, capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"{', '.join(packages)} cannot be installed: {made.stderr.strip()[-200:]}")
    return python


def told(python, code, *arguments):
    """What a program prints as JSON in its last line."""
    offline = {**os.environ, "HF_HUB_OFFLINE": "1"}
    command = [python, "-c", code, *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, env=offline)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


SUPERVISION = """
import json, sys
import supervision
images, labels, data, photographs, coco = sys.argv[1:]
def seen(found):
    return [[len(a), a.class_id.tolist(), a.mask.sum(axis=(1, 2)).tolist()] for _, _, a in found]
yolo = supervision.DetectionDataset.from_yolo(images, labels, data, force_masks=True)
json_file = supervision.DetectionDataset.from_coco(photographs, coco, force_masks=True)
print(json.dumps([yolo.classes, seen(yolo), seen(json_file)]))
"""


def test_supervision_reads_yolo_and_coco(tmp_path):
    python = environment(tmp_path / "environment", "supervision==0.31.2", "opencv-python-headless")
    exported = draw_labels(tmp_path, keys=KEYS[1:])
    YoloSegmentation(tolerance_px=0).write(tmp_path / "yolo", exported)
    CocoInstancesExport().write(tmp_path / "coco", exported)
    yolo = tmp_path / "yolo"
    paths = (yolo / "images" / "val", yolo / "labels" / "val", yolo / "data.yaml")
    coco = (tmp_path / "photographs", tmp_path / "coco" / "instances.json")
    classes, found, of_coco = told(python, SUPERVISION, *paths, *coco)
    assert classes == ["cluster 1", "cluster 2"]
    assert of_coco == [[2, [0, 1], AREAS[KEYS[1]]]]
    ((number, ids, areas),) = found
    assert (number, ids) == (2, [0, 1])
    # outlines are drawn with their border pixels there, so that objects are one pixel larger
    assert all(own <= area <= 2 * own for own, area in zip(AREAS[KEYS[1]], areas, strict=True))


DATUMARO = """
import json, sys
import datumaro
data = datumaro.Dataset.import_from(sys.argv[1], "coco_instances")
names = [label.name for label in data.categories()[datumaro.AnnotationType.label]]
areas = [[0.0] * len(names) for _ in data]
for item, sums in zip(data, areas):
    for one in item.annotations:
        if one.type.name in ("mask", "polygon"):
            sums[one.label] += one.get_area()
print(json.dumps([names, {item.id: sums for item, sums in zip(data, areas)}]))
"""


@pytest.mark.parametrize("polygons", [False, True])
def test_the_library_of_cvat_reads_coco(tmp_path, polygons):
    python = environment(tmp_path / "environment", "datumaro==1.13.12")
    exported = draw_labels(tmp_path)
    tree = tmp_path / "tree"
    CocoInstancesExport(polygons, tolerance_px=0).write(tree / "annotations", exported)
    (tree / "annotations" / "instances.json").rename(tree / "annotations" / "instances_val.json")
    shutil.copytree(tmp_path / "photographs", tree / "images" / "val")
    names, areas = told(python, DATUMARO, tree)
    assert names == ["cluster 1", "cluster 2"]
    assert areas == {key: pytest.approx(AREAS[key]) for key in KEYS}


LABEL_STUDIO = """
import json, sys
from label_studio_sdk.label_interface import LabelInterface
interface = LabelInterface(open(sys.argv[1]).read())
predictions = [one for task in json.load(open(sys.argv[2])) for one in task["predictions"]]
wrong = [interface.validate_prediction(one, return_errors=True) for one in predictions]
print(json.dumps([len(predictions), wrong]))
"""


def test_label_studio_takes_tasks_and_interface(tmp_path):
    python = environment(tmp_path / "environment", "label-studio-sdk==2.1.2")
    LabelStudio().write(tmp_path / "tasks", draw_labels(tmp_path))
    paths = (tmp_path / "tasks" / "interface.xml", tmp_path / "tasks" / "tasks.json")
    assert told(python, LABEL_STUDIO, *paths) == [len(KEYS), [[]] * len(KEYS)]
    tasks = json.loads(paths[1].read_text())
    tasks[0]["predictions"][0]["result"][0]["from_name"] = "another"
    paths[1].write_text(json.dumps(tasks))
    assert told(python, LABEL_STUDIO, *paths)[1][0] != []


DATASETS = """
import json, sys
import datasets
rows = datasets.load_dataset(sys.argv[1], cache_dir=sys.argv[2])["val"]
print(json.dumps([[row["key"], row["image"].size, [s["area"] for s in row["segments_info"]]]
                  for row in rows]))
"""


def test_datasets_loads_parquet(tmp_path):
    python = environment(tmp_path / "environment", "datasets==5.2.0", "pillow")
    HuggingFaceDataset().write(tmp_path / "shared", draw_labels(tmp_path))
    rows = told(python, DATASETS, tmp_path / "shared", tmp_path / "cache")
    assert [row[:2] for row in rows] == [[key, list(SIZE[::-1])] for key in KEYS]
    assert all(set(AREAS[key]) < set(areas) for key, _, areas in rows)
