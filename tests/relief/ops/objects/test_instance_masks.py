import numpy as np
import pytest
import torch
from pycocotools import mask as rle

from relief.ops.objects.instance_masks import (
    boxes_of,
    decoded,
    panoptic_instances,
    resized_instances,
    run_counts,
    run_lengths,
)


def drawn(seed=0, size=(23, 31)):
    random = np.random.default_rng(seed)
    panoptic = np.full((*size, 2), (0, 0))
    for number in range(1, 7):
        y, x = random.integers(0, 20, 2)
        panoptic[y : y + 6, x : x + 9] = (1 + number % 2, number)
    panoptic[-1, -1] = (1, 0)
    panoptic[0, :4] = (-1, 0)
    return torch.from_numpy(panoptic)


def test_masks_are_those_that_pycocotools_encodes():
    """Bytes too: a mask that ends in the last pixel, and one that begins in the first."""
    number = np.random.default_rng(1).integers(0, 4, (9, 7))
    number[0, 0], number[-1, -1] = 1, 2
    for i, mask in enumerate(run_lengths(number, 3), start=1):
        expected = rle.encode(np.asfortranarray((number == i).astype(np.uint8)))
        assert mask == expected
        assert np.array_equal(decoded(mask), number == i)
    assert run_lengths(np.zeros((2, 3), int), 0) == []
    assert boxes_of([]).shape == (0, 4)


def test_instances_of_things_come_by_category_and_number():
    panoptic = drawn()
    instances = panoptic_instances(panoptic, (1, 2))
    pairs = [(c, i) for c, i in panoptic.reshape(-1, 2).unique(dim=0).tolist() if c > 0 and i > 0]
    assert instances.category.tolist() == [c for c, _ in pairs]
    assert instances.size == (23, 31)
    for k, pair in enumerate(pairs):
        expected = (panoptic == torch.tensor(pair)).all(-1).numpy()
        assert np.array_equal(decoded(instances.masks[k]), expected)
        assert instances.area_px[k] == expected.sum()
        rows, columns = np.nonzero(expected)
        corner = (columns.min(), rows.min())
        sides = (np.ptp(columns) + 1, np.ptp(rows) + 1)
        assert instances.boxes[k].tolist() == [*corner, *sides]
    assert instances.scores.tolist() == [1.0] * len(pairs)
    assert not instances.crowd.any()
    assert set(panoptic_instances(panoptic, (2,)).category.tolist()) == {2}
    assert len(panoptic_instances(panoptic, ())) == 0


def test_thing_pixels_without_instance_are_a_crowd_of_ground_truth_only():
    crowds = panoptic_instances(drawn(), (1, 2), has_crowds=True)
    assert crowds.category[crowds.crowd].tolist() == [1]
    assert crowds.area_px[crowds.crowd].tolist() == [1]


def test_scores_are_mean_confidence():
    panoptic = drawn()
    confidence = torch.rand(23, 31, generator=torch.Generator().manual_seed(0))
    instances = panoptic_instances(panoptic, (1, 2), confidence)
    for mask, score in zip(instances.masks, instances.scores, strict=True):
        assert np.isclose(score, confidence.numpy()[decoded(mask)].mean())


def test_some_of_the_instances():
    instances = panoptic_instances(drawn(), (1, 2))
    chosen = instances.at(np.array([2, 0]))
    assert chosen.masks == [instances.masks[2], instances.masks[0]]
    assert chosen.area_px.tolist() == instances.area_px[[2, 0]].tolist()
    assert len(instances.at(instances.category == 1)) == (instances.category == 1).sum()


def test_packed_run_lengths_are_read_as_pycocotools_writes_them():
    random = np.random.default_rng(2)
    for density in (0.01, 0.5, 0.99):
        pixels = (random.random((300, 200)) < density).astype(np.uint8)
        pixels[:150, 20:120] = density > 0.5
        flat = pixels.T.reshape(-1)
        changes = np.flatnonzero(np.diff(flat, prepend=0))
        expected = np.diff(changes, prepend=0, append=flat.size)
        counts = rle.encode(np.asfortranarray(pixels))["counts"]
        assert run_counts(counts).tolist() == expected.tolist()


@pytest.mark.parametrize("wrong", [b"", b"\xff", b"o", b"o" * 9 + b"0"])
def test_what_is_no_run_length_is_refused(wrong):
    with pytest.raises(ValueError, match=r"^expected"):
        run_counts(wrong)


def test_instances_at_another_size():
    instances = panoptic_instances(drawn(), (1, 2))
    assert resized_instances(instances, instances.size) is instances
    twice = resized_instances(instances, (46, 62))
    assert twice.size == (46, 62)
    assert twice.boxes.tolist() == (2 * instances.boxes).tolist()
    assert twice.area_px.tolist() == (4 * instances.area_px).tolist()
    expected = decoded(instances.masks[0]).repeat(2, 0).repeat(2, 1)
    assert np.array_equal(decoded(twice.masks[0]), expected)
