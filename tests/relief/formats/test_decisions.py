import json

import pytest
import torch

from relief.formats.decisions import DecidedLabels, Decisions
from relief.schema.errors import UsageError
from tests.relief.formats.exports.drawn import KEYS, SIZE, draw_labels, panoptic_of

IS_THING = torch.tensor((False, True, True, False))


def read(tmp_path, *decisions, labels="x"):
    path = tmp_path / "decisions.json"
    path.write_text(json.dumps({"labels": labels, "decisions": decisions}))
    return Decisions.read(path, "x", IS_THING)


def of(pair, action, **more):
    return {"key": "two", "category": pair[0], "instance": pair[1], "action": action, **more}


def where(panoptic, pair):
    return (panoptic == torch.tensor(pair)).all(-1)


@pytest.mark.parametrize(
    ("decision", "pair", "becomes"),
    [
        (of((1, 1), "drop"), (1, 1), (-1, 0)),
        (of((2, 2), "merge", into={"category": 1, "instance": 1}), (2, 2), (1, 1)),
        (of((1, 1), "set_class", to=2), (1, 1), (2, 1)),
        (of((1, 1), "set_class", to=3), (1, 1), (3, 0)),
    ],
)
def test_an_object_is_changed_and_nothing_else(tmp_path, decision, pair, becomes):
    exported = draw_labels(tmp_path)
    labels = DecidedLabels(exported.labels, read(tmp_path, decision))
    before, after = panoptic_of("two"), labels.panoptic("two")
    is_object = where(before, pair)
    assert torch.equal(after[is_object].unique(dim=0), torch.tensor([becomes]))
    assert torch.equal(after[~is_object], before[~is_object])
    assert torch.equal(labels.semantic("two")[is_object], after[..., 0][is_object])
    assert torch.equal(labels.panoptic(KEYS[0]), exported.labels.panoptic(KEYS[0]))


def test_decisions_are_made_in_their_order_and_images_left_out(tmp_path):
    merged = of((2, 2), "merge", into={"category": 1, "instance": 1})
    image = {"key": "a/one", "action": "drop_image"}
    decisions = read(tmp_path, merged, of((1, 1), "drop"), image)
    labels = DecidedLabels(draw_labels(tmp_path).labels, decisions)
    assert labels.keys == ["two"]
    assert set(labels.panoptic("two")[..., 1].unique().tolist()) == {0}
    assert labels.panoptic("two").shape[:2] == SIZE


@pytest.mark.parametrize(
    ("decisions", "labels", "told"),
    [
        ([], "y", "about other labels"),
        ([of((1, 1), "paint")], "x", "unknown action: paint"),
        ([of((1, 1), "set_class", to=9)], "x", "no category 9"),
        ([{"key": "a"}], "x", "'action'"),
    ],
)
def test_what_cannot_be_decided_is_one_line(tmp_path, decisions, labels, told):
    with pytest.raises(UsageError, match=told):
        read(tmp_path, *decisions, labels=labels)
