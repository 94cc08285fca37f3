import json

import pytest
import torch

from relief.formats.label_store import LabelStore, write_panoptic
from relief.schema.label_spaces import CITYSCAPES_19, thing_mask
from relief.studies.scoring.object_diagnosis import (
    ObjectDiagnosisRequest,
    diagnose_objects,
    on_grid,
    true_cuts,
    true_names,
    write_object_diagnosis,
)
from tests.relief.studies.tiny import KEYS, THING_CLUSTERS, draw_store, draw_tree

CAR, PERSON, ROAD = 13, 11, 0


def pairs(rows):
    return torch.tensor([rows])


def test_names_are_the_true_majority_of_each_object():
    predicted = pairs([[CAR, 1], [CAR, 1], [CAR, 1], [CAR, 2], [ROAD, 0]])
    target = pairs([[PERSON, 5], [PERSON, 5], [CAR, 1], [ROAD, 0], [ROAD, 0]])
    named = true_names(predicted, target, CITYSCAPES_19)
    assert named[0].tolist() == [[PERSON, 1], [PERSON, 1], [PERSON, 1], [ROAD, 2], [ROAD, 0]]


def test_cuts_are_true_within_the_area_and_nothing_else_changes():
    predicted = pairs([[CAR, 1], [CAR, 1], [CAR, 1], [CAR, 1], [ROAD, 0]])
    target = pairs([[CAR, 7], [CAR, 7], [PERSON, 8], [ROAD, 0], [CAR, 9]])
    cut = true_cuts(predicted, target, CITYSCAPES_19)
    assert cut[0, :3].tolist() == [[CAR, 7], [CAR, 7], [PERSON, 8]]
    assert cut[0, 3].tolist() in ([PERSON, 8], [CAR, 9])  # as near
    assert cut[0, 4].tolist() == [ROAD, 0]
    nothing = pairs([[ROAD, 0]] * 5)
    assert torch.equal(true_cuts(predicted, nothing, CITYSCAPES_19), predicted)


def test_the_grid_keeps_what_is_as_large_as_a_patch():
    target = torch.zeros(8, 8, 2, dtype=torch.int64)
    target[:4, :4] = torch.tensor([CAR, 1])
    target[6, 6] = torch.tensor([CAR, 2])
    coarse = on_grid(target, 4)
    assert torch.equal(coarse[:4, :4], target[:4, :4])
    assert coarse[4:, 4:].unique(dim=0).shape[0] == 1


def test_every_step_gains_what_it_was_given(tmp_path):
    root = draw_tree(tmp_path)
    store = LabelStore(draw_store(tmp_path / "labels"))
    for key in KEYS:  # all cars are called persons: names cost everything
        panoptic = store.panoptic(key)
        objects = panoptic[..., 1] > 0
        panoptic[objects] = torch.stack(
            (torch.full_like(panoptic[objects][:, 0], 6), panoptic[objects][:, 1]), -1
        )
        write_panoptic(store.out, key, panoptic, thing_mask(THING_CLUSTERS, 7))
    request = ObjectDiagnosisRequest(str(store.out), root=str(root), patch_px=1)
    found = diagnose_objects(request)
    steps = found.steps
    assert steps[0].gain == 0
    assert steps[1].gain == pytest.approx(steps[1].pq_things - steps[0].pq_things)
    assert steps[1].gain > 30
    assert steps[3].pq_things == pytest.approx(100)
    assert found.failures == []
    write_object_diagnosis(tmp_path / "out", found)
    written = json.loads((tmp_path / "out" / "objects.json").read_text())
    assert [step["what"] for step in written["steps"]] == [step.what for step in steps]


def test_an_image_that_cannot_be_read_is_told_and_the_others_are_asked(tmp_path):
    root = draw_tree(tmp_path)
    out = draw_store(tmp_path / "labels")
    (out / "semantic" / f"{KEYS[0]}.png").write_bytes(b"")
    found = diagnose_objects(ObjectDiagnosisRequest(str(out), root=str(root)))
    assert [failure["key"] for failure in found.failures] == [KEYS[0]]
    assert len(found.steps) == 4
