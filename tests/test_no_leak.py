"""Ground truth is for measuring: without it, the labels have the same bytes."""

import shutil

from tests.label_runs import label_bytes, run_label


def test_deleting_the_ground_truth_changes_no_byte_of_the_labels(tiny_cityscapes, tmp_path):
    assert run_label(tiny_cityscapes, tmp_path / "with") == 0
    assert (tmp_path / "with" / "metrics.json").exists()
    shutil.rmtree(tiny_cityscapes / "gtFine")
    assert run_label(tiny_cityscapes, tmp_path / "without") == 0
    assert not (tmp_path / "without" / "metrics.json").exists()
    with_truth, without = label_bytes(tmp_path / "with"), label_bytes(tmp_path / "without")
    assert with_truth.keys() == without.keys()
    assert {name.split("/")[0] for name in without} == {
        "manifest.json",
        "codebook.safetensors",
        "panoptic.json",
        "semantic",
        "panoptic",
    }
    assert with_truth == without
