from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from relief.samples.draw import DOMAINS, HAZY, draw_sample, main
from relief.samples.scenes.scene_files import CITIES
from relief.schema.errors import UsageError
from relief.schema.label_spaces import CITYSCAPES_LABELS
from relief.sources.cityscapes import CityscapesSource

LABELS = {label.label_id: label for label in CITYSCAPES_LABELS}


def contents(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    root = tmp_path_factory.mktemp("sample") / "nested" / "tree"
    assert draw_sample(root, train_images=2, val_images=3, threads=2) > 0
    return root


@pytest.fixture(scope="module")
def ground_truth(sample):
    return [
        (
            cv2.imread(str(path), cv2.IMREAD_UNCHANGED),
            cv2.imread(
                str(path).replace("instanceIds", "labelIds"),
                cv2.IMREAD_UNCHANGED,
            ),
        )
        for path in sorted(sample.rglob("*_instanceIds.png"))
    ]


def test_tree_is_the_same_for_any_number_of_threads(sample, tmp_path):
    draw_sample(tmp_path, train_images=2, val_images=3, threads=1)
    assert contents(tmp_path) == contents(sample)
    assert len(contents(sample)) == 5 * 4 + 1  # four files a scene, and the marker


def test_another_seed_draws_other_scenes(sample, tmp_path):
    draw_sample(tmp_path, train_images=1, val_images=0, seed=1)
    path = next(tmp_path.rglob("*_leftImg8bit.png")).relative_to(tmp_path)
    assert (sample / path).read_bytes() != (tmp_path / path).read_bytes()


def test_no_scene_is_in_both_splits(sample):
    images = [path.read_bytes() for path in sample.rglob("*_leftImg8bit.png")]
    assert len(set(images)) == len(images) == 5
    assert not set(CITIES["train"]) & set(CITIES["val"])


def test_the_cityscapes_reader_reads_it(sample):
    tree = CityscapesSource(sample, "val")
    assert tree.keys == [
        "moosbruck/moosbruck_000000_000019",
        "rosental/rosental_000000_000019",
        "tannheim/tannheim_000000_000019",
    ]
    for key in tree.keys:
        assert tree.image_path(key).is_file()
        target = tree.target(key)
        assert target.shape == (512, 1024, 2)
        assert set(target[..., 0].unique().tolist()) <= set(range(-1, 19))
        assert len(target[..., 0].unique()) > 10
        depth = np.load(sample / "depth" / "val" / f"{key}.npy")
        assert depth.shape == (512, 1024)


def test_instance_ids_are_encoded_as_in_the_data_set(ground_truth):
    assert len(ground_truth) == 5
    for instance_ids, label_ids in ground_truth:
        assert instance_ids.dtype == np.uint16
        assert label_ids.dtype == np.uint8
        is_object = instance_ids >= 1000
        np.testing.assert_array_equal(instance_ids[~is_object], label_ids[~is_object])
        np.testing.assert_array_equal(instance_ids[is_object] // 1000, label_ids[is_object])
        assert all(LABELS[i].is_thing for i in np.unique(label_ids[is_object]))
        assert is_object.any()


def test_void_regions_are_there(ground_truth):
    ids = [set(np.unique(instance_ids).tolist()) for instance_ids, _ in ground_truth]
    assert all(3 in found for found in ids)  # out of roi
    assert any(1 in found for found in ids)  # ego vehicle


def test_depth_is_within_range_and_the_sky_far(sample, ground_truth):
    paths = sorted((sample / "depth").rglob("*.npy"))
    assert len(paths) == 5
    for path, (_, label_ids) in zip(paths, ground_truth, strict=True):
        depth = np.load(path)
        assert depth.dtype == np.float16
        assert 0 < depth.min() < 0.2
        assert depth.max() == 1.0
        assert (depth[label_ids == 23] == 1).all()
        road = depth.astype(np.float32)[:, 512][label_ids[:, 512] == 7]
        assert (np.diff(road) <= 1e-3).all()  # nearer towards the bottom of the picture


def test_a_deleted_part_is_not_drawn_again(tmp_path):
    draw_sample(tmp_path, train_images=1, val_images=0)
    for path in (tmp_path / "depth").rglob("*.npy"):
        path.unlink()
    before = contents(tmp_path)
    assert draw_sample(tmp_path, train_images=1, val_images=0) == 0.0
    assert contents(tmp_path) == before


def test_a_stopped_drawing_is_completed(sample, tmp_path):
    draw_sample(tmp_path, train_images=2, val_images=3, threads=1)
    marker = json.loads((tmp_path / "sample.json").read_text())
    (tmp_path / "sample.json").unlink()
    drawing = {**marker, "parts": ["leftImg8bit", "gtFine", "depth"]}
    (tmp_path / "sample.drawing.json").write_text(json.dumps(drawing))
    next((tmp_path / "gtFine" / "val").rglob("*_labelIds.png")).unlink()
    next((tmp_path / "depth" / "train").rglob("*.npy")).unlink()
    draw_sample(tmp_path, train_images=2, val_images=3)
    assert contents(tmp_path) == contents(sample)


def test_a_part_that_was_there_before_is_left_alone(tmp_path):
    mine = tmp_path / "depth" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    draw_sample(tmp_path, train_images=1, val_images=0)
    assert [p.name for p in (tmp_path / "depth").rglob("*")] == ["mine.txt"]
    assert len(list(tmp_path.rglob("*.png"))) == 3


def test_another_sample_in_the_same_folder_is_refused(tmp_path):
    draw_sample(tmp_path, train_images=1, val_images=0)
    with pytest.raises(UsageError, match=r"^another sample is there: .* \(seed 0, not 5\)\. "):
        draw_sample(tmp_path, train_images=1, val_images=0, seed=5)


def test_the_second_domain_is_a_tree_of_other_scenes(sample, tmp_path):
    draw_sample(tmp_path, train_images=1, val_images=0, domain=HAZY)
    assert json.loads((tmp_path / "sample.json").read_text())["domain"] == "hazy"
    drawn, first = contents(tmp_path), contents(sample)
    assert set(drawn) <= set(first)
    assert all(drawn[name] != first[name] for name in drawn)
    with pytest.raises(UsageError, match=r"\(domain hazy, not clear\)"):
        draw_sample(tmp_path, train_images=1, val_images=0)


def test_a_root_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write the sample"):
        draw_sample(tmp_path / "file" / "root", train_images=1, val_images=0)


def test_the_command_draws_once(tmp_path, monkeypatch, capsys):
    words = ["draw", "--root", str(tmp_path), "--train_images", "1", "--val_images", "1"]
    monkeypatch.setattr("sys.argv", words)
    main()
    assert "drawn in" in capsys.readouterr().out
    main()
    assert "already drawn" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", [*words, "--seed", "9"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith("another sample is there")


@pytest.mark.parametrize("name", ["coloured", "coloured_hazy"])
def test_coloured_scenes_are_small(tmp_path, name):
    draw_sample(tmp_path, train_images=1, val_images=0, domain=DOMAINS[name])
    image = cv2.imread(str(next(tmp_path.rglob("*_leftImg8bit.png"))))
    assert image.shape == (128, 256, 3)
    assert json.loads((tmp_path / "sample.json").read_text())["domain"] == name
