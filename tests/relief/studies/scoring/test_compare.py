import numpy as np
import pytest
import torch

from relief.formats.label_store import LabelStore, write_panoptic
from relief.schema.errors import UsageError
from relief.schema.label_spaces import thing_mask
from relief.studies.scoring.compare import CompareRequest
from relief.studies.scoring.score import score_labels
from tests.relief.studies.tiny import KEYS, THING_CLUSTERS, draw_store, draw_tree


@pytest.fixture
def runs(tmp_path):
    """A tree, and two runs: in the second the cars of the first image are one."""
    root = draw_tree(tmp_path / "city")
    first, second = draw_store(tmp_path / "a"), draw_store(tmp_path / "b")
    store = LabelStore(second)
    joined = store.panoptic(KEYS[0]).clone()
    cars = torch.isin(joined[..., 1], torch.tensor([1, 2, 3, 4]))
    joined[cars] = torch.tensor([4, 1])
    write_panoptic(second, KEYS[0], joined, thing_mask(THING_CLUSTERS, 7))
    return root, str(first), str(second)


def cells(table):
    return {row[0]: row[1:] for row in table.rows}


def test_figures_are_those_of_each_run_and_the_worse_image_is_named(runs):
    root, first, second = runs
    request = CompareRequest([first, second], root=str(root))
    result = request.prepared.run()
    _, objects, figures, images = result.tables
    assert figures.columns[1:3] == ("a", "b")
    for column, path in enumerate((first, second)):
        scores = score_labels(
            LabelStore(path), request.prepared.truth, ["panopticapi"], ["majority"]
        )
        told = scores.metrics["panopticapi/majority"]
        for heading, name in (("PQ", "pq"), ("things", "pq_things"), ("mIoU", "miou")):
            assert cells(figures)[heading][column] == pytest.approx(told[name])
    assert cells(figures)["stuff"][2] == "+0.0"
    assert cells(figures)["stuff"][4] == "may be chance"
    assert cells(figures)["things"][2].startswith("-")
    assert images.rows[0][0] == KEYS[0]
    assert images.rows[0][1] < 0
    counts = [row["objects_second"] - row["objects_first"] for row in result.runs]
    assert counts == [-3, 0, 0]
    assert cells(objects)["objects an image"] == (5, 4)


def test_without_ground_truth_the_objects_alone_are_compared(runs, tmp_path):
    _, first, second = runs
    result = CompareRequest([first, second], root=str(tmp_path / "none")).prepared.run()
    assert len(result.tables) == 3
    assert "nobody can say which is better" in result.notes[1]
    assert result.tables[-1].rows[0][0] == KEYS[0]
    assert result.runs[1]["agreement"] == 1.0
    assert np.isclose(result.runs[0]["agreement"], 2 / 7)  # the person alone is in both


def test_two_runs_of_the_same_images_are_needed(runs, tmp_path):
    root, first, second = runs
    with pytest.raises(UsageError, match=r"two runs are compared: got 1\."):
        _ = CompareRequest([first], root=str(root)).prepared
    other = draw_store(tmp_path / "c", KEYS[:1])
    draw_store(tmp_path / "d", KEYS[1:])
    with pytest.raises(UsageError, match="no image in common"):
        CompareRequest([str(other), str(tmp_path / "d")], root=str(root)).prepared.run()
    assert CompareRequest([first, second]).folder.as_posix() == "outputs/compare/a_b"
