import json
import logging
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from relief.formats import segment_ids
from relief.formats.label_store import LabelStore
from relief.models.codebooks.codebook import Codebook
from relief.schema.label_spaces import CITYSCAPES_19
from tests.label_runs import label_bytes, run_label


def test_a_run_leaves_a_whole_store_and_its_figures(tiny_cityscapes, tmp_path):
    out = tmp_path / "out"
    assert run_label(tiny_cityscapes, out) == 0
    store = LabelStore(out)
    assert store.keys == [f"bonn/bonn_0000{n}_000019" for n in (10, 11, 12)]
    assert store.manifest.k == 4
    assert store.manifest.supervision == ()
    assert all(store.readable(key) for key in store.keys)
    assert store.semantic(store.keys[0]).shape == (32, 64)
    assert {"log.txt", "run.yaml", "metrics.json"} <= {p.name for p in out.iterdir()}
    metrics = json.loads((out / "metrics.json").read_text())
    assert next(iter(metrics)) in {"cups/hungarian", "panopticapi/majority"}
    assert 0 <= metrics["panopticapi/majority"]["pq"] <= 100
    assert str(tmp_path) not in (out / "manifest.json").read_text()


def test_the_same_command_twice_changes_no_byte_and_labels_nothing_twice(tiny_cityscapes, tmp_path):
    out = tmp_path / "out"
    run_label(tiny_cityscapes, out)
    before = label_bytes(out)
    time_of = {p: p.stat().st_mtime_ns for p in (out / "panoptic").rglob("*.png")}
    assert run_label(tiny_cityscapes, out) == 0
    assert label_bytes(out) == before
    assert time_of == {p: p.stat().st_mtime_ns for p in (out / "panoptic").rglob("*.png")}


def test_what_is_missing_or_cut_is_labelled_again_to_the_same_bytes(tiny_cityscapes, tmp_path):
    out = tmp_path / "out"
    run_label(tiny_cityscapes, out)
    before = label_bytes(out)
    first, second, _ = sorted((out / "panoptic").rglob("*.png"))
    first.unlink()
    second.write_bytes(second.read_bytes()[:30])
    (out / "panoptic.json").unlink()
    assert run_label(tiny_cityscapes, out) == 0
    assert label_bytes(out) == before


def test_labels_do_not_depend_on_batch_size_or_workers(tiny_cityscapes, tmp_path):
    run_label(tiny_cityscapes, tmp_path / "one")
    run_label(
        *(tiny_cityscapes, tmp_path / "two", "--data.init_args.batch_size", "3"),
        *("--data.init_args.num_workers", "1"),
    )
    assert label_bytes(tmp_path / "one") == label_bytes(tmp_path / "two")


def test_another_configuration_is_refused(tiny_cityscapes, tmp_path, capsys):
    out = tmp_path / "out"
    run_label(tiny_cityscapes, out)
    before = label_bytes(out)
    code = run_label(tiny_cityscapes, out, "--fitter.init_args.kmeans.init_args.k", "3")
    assert code == 2
    assert "was made with k=4, this run has k=3" in capsys.readouterr().err
    assert label_bytes(out) == before
    overwrite = ("--overwrite", "true", "--fitter.init_args.kmeans.init_args.k", "3")
    assert run_label(tiny_cityscapes, out, *overwrite) == 0
    assert LabelStore(out).manifest.k == 3


def test_limit_labels_the_first_with_the_codebook_of_all(tiny_cityscapes, tmp_path):
    run_label(tiny_cityscapes, tmp_path / "all")
    run_label(tiny_cityscapes, tmp_path / "one", "--limit", "1")
    assert len(LabelStore(tmp_path / "one").keys) == 1
    books = [(tmp_path / name / "codebook.safetensors").read_bytes() for name in ("all", "one")]
    assert books[0] == books[1]


def test_a_codebook_can_be_given_for_another_split(tiny_cityscapes, tmp_path):
    run_label(tiny_cityscapes, tmp_path / "val")
    book = tmp_path / "val" / "codebook.safetensors"
    options = ("--codebook", str(book), "--data.init_args.split", "train")
    assert run_label(tiny_cityscapes, tmp_path / "train", *options) == 0
    assert (tmp_path / "train" / "codebook.safetensors").read_bytes() == book.read_bytes()
    assert LabelStore(tmp_path / "train").keys[0].startswith("aachen/")


def test_another_codebook_of_as_many_clusters_is_refused(tiny_cityscapes, tmp_path, capsys):
    run_label(tiny_cityscapes, tmp_path / "a")
    before = label_bytes(tmp_path / "a")
    book = Codebook()
    book.load(tmp_path / "a" / "codebook.safetensors")
    book.fill(book.centroids + 0.5, book.thing_ids, book.groups, metadata=book.metadata)
    book.save(tmp_path / "other.safetensors")
    given = ("--codebook", str(tmp_path / "other.safetensors"))
    assert run_label(tiny_cityscapes, tmp_path / "a", *given) == 2
    assert "was made with codebook=" in capsys.readouterr().err
    assert label_bytes(tmp_path / "a") == before


def test_one_bad_image_is_listed_and_the_others_are_labelled(tiny_cityscapes, tmp_path, capsys):
    broken = next((tiny_cityscapes / "leftImg8bit" / "val").rglob("*.png"))
    broken.write_bytes(broken.read_bytes()[:200])
    out = tmp_path / "out"
    assert run_label(tiny_cityscapes, out) == 1
    assert "cannot label 1 of 3 images" in capsys.readouterr().err
    store = LabelStore(out)
    assert len(store.keys) == 2
    assert len(store.manifest.failures) == 1
    assert run_label(tiny_cityscapes, out, "--data.init_args.on_error", "skip") == 0
    assert run_label(tiny_cityscapes, out, "--data.init_args.on_error", "stop") == 1


def test_missing_depth_fails_that_image_only(tiny_cityscapes, tmp_path, capsys):
    next((tiny_cityscapes / "depth" / "val").rglob("*.npy")).unlink()
    assert run_label(tiny_cityscapes, tmp_path / "out") == 1
    assert "depth is missing" in capsys.readouterr().err
    assert len(LabelStore(tmp_path / "out").keys) == 2


def test_names_lines_and_archives_fail_alone(tiny_cityscapes, tmp_path, capsys):
    folder = tiny_cityscapes / "leftImg8bit/val/bonn"
    photo = (folder / "bonn_000010_000019_leftImg8bit.png").read_bytes()
    (folder / "stra\udcdfe_leftImg8bit.png").write_bytes(photo)
    Image.new("RGB", (150, 1)).save(folder / "line_leftImg8bit.png")
    depth = tiny_cityscapes / "depth/val/bonn/bonn_000011_000019.npy"
    with depth.open("wb") as file:
        np.savez(file, np.zeros((32, 64)))
    depth.write_bytes(depth.read_bytes()[:900])
    out = tmp_path / "out"
    assert run_label(tiny_cityscapes, out) == 1
    assert "cannot label 3 of 5 images: " in capsys.readouterr().err
    failures = LabelStore(out).manifest.failures
    assert [reason[:34] for _, reason in sorted(failures.items())] == [
        f"cannot read depth: {depth}"[:34],
        "image is a line: bonn/line (1x150 ",
        f"cannot read image: {folder}"[:34],
    ]
    assert r"bonn/stra\xdfe" in failures
    assert "its name is not UTF-8" in failures[r"bonn/stra\xdfe"]
    assert run_label(tiny_cityscapes, out, "--data.init_args.max_aspect", "200") == 1
    assert r"depth is missing: bonn/line" in capsys.readouterr().err


def test_too_many_instances_fail_that_image_only(tiny_cityscapes, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(segment_ids, "MAX_INSTANCES", 1)
    out, no_split = tmp_path / "out", ("--model.init_args.splitter.init_args.min_area_px", "1")
    assert run_label(tiny_cityscapes, out, *no_split) == 1
    assert "ValueError (expected instances in [0, 1])" in capsys.readouterr().err
    semantic = {path.stem for path in (out / "semantic").rglob("*.png")}
    assert semantic == {key.split("/")[1] for key in LabelStore(out).keys}
    stop = ("--data.init_args.on_error", "stop")
    assert run_label(tiny_cityscapes, out, *no_split, *stop) == 1


def test_more_clusters_than_ids_are_refused_at_the_start(tiny_cityscapes, tmp_path, capsys):
    k = ("--fitter.init_args.kmeans.init_args.k", "600")
    assert run_label(tiny_cityscapes, tmp_path / "out", *k) == 2
    assert "600 clusters: COCO segment ids tell at most 511 apart" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_ground_truth_that_is_missing_costs_neither_figures_nor_report(
    tiny_cityscapes, tmp_path, caplog, monkeypatch
):
    monkeypatch.setattr(logging.getLogger("relief"), "propagate", True)
    missing, damaged, whole = sorted((tiny_cityscapes / "gtFine/val").rglob("*instanceIds.png"))
    missing.unlink()
    damaged.write_text("version https://git-lfs.github.com/spec/v1")
    out, report = tmp_path / "out", "--report.num_examples=1"
    assert run_label(tiny_cityscapes, out, report) == 0
    (told,) = [message for message in caplog.messages if message.startswith("measured")]
    assert told.startswith("measured 1 of 3 images; bonn/bonn_000010_000019: no ground truth; ")
    assert "bonn/bonn_000011_000019: cannot read label: " in told
    assert json.loads((out / "metrics.json").read_text())["panopticapi/majority"]["images"] == 1
    assert "Ground truth" in (out / "report.html").read_text()
    (out / "report.html").unlink()
    whole.write_text("")
    assert run_label(tiny_cityscapes, out, report) == 0
    assert any("nothing measured: none of 2 images can be" in told for told in caplog.messages)
    assert (out / "report.html").is_file()


def test_depth_that_is_unknown_where_it_is_nan_labels_and_goes_on(tiny_cityscapes, tmp_path):
    out, options = tmp_path / "out", ("--data.init_args.depth.init_args.invalid_value", ".nan")
    for path in (tiny_cityscapes / "depth").rglob("*.npy"):
        depth = np.load(path)
        depth[0, 0] = np.nan
        np.save(path, depth)
    assert run_label(tiny_cityscapes, out, *options) == 0
    before = label_bytes(out)
    assert run_label(tiny_cityscapes, out, *options) == 0
    assert label_bytes(out) == before


def test_oracle_classes_are_declared(tiny_cityscapes, tmp_path):
    options = (
        *("--thingness.init_args.oracle_classes", "cityscapes19"),
        *("--data.init_args.observe_split", "val"),
    )
    assert run_label(tiny_cityscapes, tmp_path / "out", *options) == 0
    store = LabelStore(tmp_path / "out")
    assert store.manifest.label_space == "oracle_classes"
    assert store.num_categories == 19
    assert "ground truth of val" in " ".join(store.manifest.supervision)
    assert set(store.thing_ids) == set(CITYSCAPES_19.things)
    found = set(store.semantic(store.keys[0]).unique().tolist())
    assert CITYSCAPES_19.names.index("road") in found


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--data.init_args.batchsize", "2"), "batchsize"),
        (("--no_such_option", "1"), "no_such_option"),
        (("--fitter.init_args.kmeans.init_args.k", "many"), "many"),
        (("--codebook", "nowhere.safetensors"), "cannot load codebook: nowhere.safetensors"),
        (("--data.init_args.split", "tset"), "no images found"),
        (("--fitter.init_args.oracle_classes", "city"), "fitter.oracle_classes is city"),
        (
            (
                *("--thingness.init_args.oracle_classes", "cityscapes19"),
                *("--data.init_args.label_space", "cityscapes27"),
            ),
            "has the classes cityscapes27: thingness.oracle_classes is cityscapes19",
        ),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(tiny_cityscapes, tmp_path, capsys, options, words):
    assert run_label(tiny_cityscapes, tmp_path / "out", *options) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert words in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_fit_split_that_cannot_be_read_says_why(tiny_cityscapes, tmp_path, capsys):
    shutil.rmtree(tiny_cityscapes / "depth" / "train")
    assert run_label(tiny_cityscapes, tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert "no image of the fit split could be read (aachen/aachen_000000_000019: " in error
    assert "depth" in error.split("(")[1]
    assert error.count("error: ") == 1


def test_the_codebook_file_says_where_it_comes_from(tiny_cityscapes, tmp_path):
    run_label(tiny_cityscapes, tmp_path / "out")
    with safe_open(tmp_path / "out" / "codebook.safetensors", framework="pt") as file:
        said = json.loads(file.metadata()["codebook"])["metadata"]
    assert said["fit"] == {"split": "train", "images": 3, "seed": 0, "max_samples": 2_000_000}
    assert "RGBStatistics" in said["features"]


def test_a_precision_of_the_trainer_is_refused_and_one_of_the_networks_recorded(
    tiny_cityscapes, tmp_path, capsys
):
    code = run_label(tiny_cityscapes, tmp_path / "out", "--trainer.precision", "bf16-mixed")
    assert code == 2
    assert "--model.init_args.precision bfloat16" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    run_label(tiny_cityscapes, tmp_path / "out")
    bfloat16 = ("--model.init_args.precision", "bfloat16")
    assert run_label(tiny_cityscapes, tmp_path / "out", *bfloat16) == 2
    assert "precision=float32, this run has" in capsys.readouterr().err


def test_other_images_of_the_same_names_are_refused_and_repaired_ones_are_labelled(
    tiny_cityscapes, tmp_path, capsys
):
    root, out = shutil.copytree(tiny_cityscapes, tmp_path / "city"), tmp_path / "out"
    path = next((root / "leftImg8bit" / "val").rglob("*.png"))
    whole = path.read_bytes()
    path.write_bytes(whole[:200])
    assert run_label(root, out) == 1
    path.write_bytes(whole)
    assert run_label(root, out) == 0
    before = label_bytes(out)
    path.write_bytes(whole + b"\0")
    assert run_label(root, out) == 2
    assert "labels of other images: 1 of 3 have changed since" in capsys.readouterr().err
    assert label_bytes(out) == before
    path.write_bytes(whole)
    assert run_label(root, out) == 0


def test_other_depth_of_the_same_names_is_refused(tiny_cityscapes, tmp_path, capsys):
    root, out = shutil.copytree(tiny_cityscapes, tmp_path / "city"), tmp_path / "out"
    run_label(root, out, "--limit", "1")
    for path in (root / "depth" / "val").rglob("*.npy"):
        np.save(path, 1 - np.load(path))
    assert run_label(root, out) == 2
    assert "depth_files.content.val/bonn" in capsys.readouterr().err
    assert len(LabelStore(out).keys) == 1


def test_if_missing_ends_at_once_and_still_refuses_another_configuration(
    tiny_cityscapes, tmp_path, capsys
):
    out = tmp_path / "out"
    run_label(tiny_cityscapes, out, "--if_missing", "true")
    (out / "metrics.json").unlink()
    assert run_label(tiny_cityscapes, out, "--if_missing", "true") == 0
    assert "all 3 images are labelled" in capsys.readouterr().out
    assert not (out / "metrics.json").exists()
    other = ("--if_missing", "true", "--fitter.init_args.kmeans.init_args.k", "3")
    assert run_label(tiny_cityscapes, out, *other) == 2


def test_callbacks_of_ones_own_come_beside_those_that_stand(tiny_cityscapes, tmp_path):
    out = tmp_path / "out"
    named = ("--trainer.callbacks", "[callbacks.pass_progress.PassProgress]")
    assert run_label(tiny_cityscapes, out, *named) == 0
    assert len(LabelStore(out).keys) == 3
    assert (out / "metrics.json").exists()
    assert "num_overlays" in (out / "run.yaml").read_text()  # the options of those that stand


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--limit", "0"), "limit=0: expected at least 1"),
        (("--limit", "-1"), "limit=-1: expected at least 1"),
        (("--data.init_args.num_workers", "-1"), "num_workers=-1: expected at least 0"),
        (("--data.init_args.batch_size", "0"), "batch_size=0: expected at least 1"),
        (("--trainer.accelerator", "gpu", "--trainer.devices", "1"), "gpu"),
    ],
)
def test_wrong_numbers_and_devices_are_one_line_before_any_work(
    tiny_cityscapes, tmp_path, capsys, option, said
):
    if "gpu" in option and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert run_label(tiny_cityscapes, tmp_path / "out", *option) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_labels_without_any_object_are_said_to_be(tiny_cityscapes, tmp_path, capsys):
    large = ("--model.init_args.splitter.init_args.min_area_px", "100000")
    strict = ("--report.strict", "true")
    assert run_label(tiny_cityscapes, tmp_path / "out", *large, *strict) == 1
    told = capsys.readouterr()
    assert "no object in any of 3 images" in told.out
    assert "error: labels are not healthy: " in told.err
    assert "100 % of the images have no object" in told.err
    assert (tmp_path / "out" / "panoptic.json").exists()
