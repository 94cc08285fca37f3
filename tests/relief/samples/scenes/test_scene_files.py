from __future__ import annotations

import cv2
import numpy as np

from relief.samples.scenes.canvas import Canvas
from relief.samples.scenes.scene_files import SceneFile, write_scene


def test_names_are_those_of_the_data_set(tmp_path):
    scene = SceneFile(tmp_path, "val", 5, seed=0)
    assert (scene.city, scene.stem) == ("tannheim", "tannheim_000001_000019")
    names = {key: str(path.relative_to(tmp_path)) for key, path in scene.paths.items()}
    stem = "val/tannheim/tannheim_000001_000019"
    assert names == {
        "image": f"leftImg8bit/{stem}_leftImg8bit.png",
        "label_ids": f"gtFine/{stem}_gtFine_labelIds.png",
        "instance_ids": f"gtFine/{stem}_gtFine_instanceIds.png",
        "depth": f"depth/{stem}.npy",
    }


def test_what_is_written_reads_back(tmp_path):
    canvas = Canvas((4, 6))
    canvas.image[...] = (1.2, 0.5, -0.3)
    canvas.instance_ids[...] = 26012
    canvas.label_ids[...] = 26
    canvas.distance_m[...] = 10
    scene = SceneFile(tmp_path, "train", 0, seed=0)
    write_scene(scene, canvas)
    assert cv2.imread(str(scene.paths["image"]))[0, 0].tolist() == [0, 128, 255]  # BGR
    assert (cv2.imread(str(scene.paths["instance_ids"]), cv2.IMREAD_UNCHANGED) == 26012).all()
    assert (cv2.imread(str(scene.paths["label_ids"]), cv2.IMREAD_UNCHANGED) == 26).all()
    depth = np.load(scene.paths["depth"])
    assert depth.dtype == np.float16
    assert (depth == 0.25).all()
    assert not list(tmp_path.rglob("*.tmp"))


def test_only_the_parts_asked_for_are_written(tmp_path):
    scene = SceneFile(tmp_path, "train", 0, seed=0)
    write_scene(scene, Canvas((4, 6)), ("depth",))
    assert [key for key, path in scene.paths.items() if path.exists()] == ["depth"]
