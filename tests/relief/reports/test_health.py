import json

import pytest
import torch

from relief.reports.health import (
    HealthRequest,
    LabelHealth,
    read_health,
    refuse_red,
    write_health,
)
from relief.schema.errors import ReliefError, UsageError
from tests.relief.formats.exports.drawn import draw_labels, panoptic_of

THINGS = torch.tensor((False, True, True, False))
RAMP = torch.linspace(1, 0, 20).view(1, -1, 1).repeat(1, 1, 30)  # far above, near below


def of(*images, depth=(), confidence=None, things=THINGS):
    health = LabelHealth(things)
    for panoptic in images:
        health.add(panoptic, panoptic[..., 0], confidence)
    for one in depth:
        health.add_depth(one)
    return {one.sentence: one.level for one in health.findings()}


def level(found, words):
    (one,) = [level for sentence, level in found.items() if words in sentence]
    return one


def test_good_labels_are_green():
    found = of(panoptic_of("two"), depth=[RAMP, None], confidence=torch.full((20, 30), 0.8))
    assert set(found.values()) == {"green"}
    assert "the labeller is 80 % sure, on average." in found
    assert "2.0 objects an image, 0 % of them tiny." in found
    assert "0 % of the depth maps are flat." in found


def test_black_masks_are_red():
    black = torch.full((20, 30, 2), 0)
    black[..., 0] = -1
    found = of(black, black, panoptic_of("two"))
    assert level(found, "have no label") == "red"
    assert level(found, "one category, or nothing, covers all") == "red"
    assert level(found, "of the images have no object") == "amber"
    assert next(iter(found.values())) == "red"  # the worst first


def test_full_masks_are_red():
    full = torch.ones(20, 30, 2, dtype=torch.int64)
    found = of(full)
    assert level(found, "cover their whole image") == "red"
    assert level(found, "3 of 4 ids occur in no image looked at. Few images") == "amber"


def test_no_things_are_red():
    found = of(panoptic_of("two"), things=torch.zeros(4, dtype=torch.bool))
    assert level(found, "no id is a thing") == "red"


def test_crumbs_are_amber():
    crumbs = torch.zeros(100, 100, 2, dtype=torch.int64)
    crumbs[..., 0][::8, ::8] = 1
    crumbs[..., 1][::8, ::8] = torch.arange(1, 170).view(13, 13)
    assert level(of(crumbs), "100 % of them tiny. Raise the area filter") == "amber"


def test_depth_that_is_flat_or_upside_down_is_told():
    found = of(panoptic_of("two"), depth=[torch.full((1, 20, 30), 0.4)])
    assert level(found, "depth maps are flat") == "red"
    assert level(of(panoptic_of("two"), depth=[1 - RAMP]), "are near and far swapped?") == "amber"


def test_nobody_sure_of_anything_is_red():
    found = of(panoptic_of("two"), confidence=torch.zeros(20, 30))
    assert level(found, "the labeller is 0 % sure") == "red"


def test_red_is_an_error_where_it_is_asked_for(tmp_path):
    health = LabelHealth(torch.zeros(4, dtype=torch.bool))
    health.add(panoptic_of("two"), panoptic_of("two")[..., 0])
    found = write_health(tmp_path, health)
    assert read_health(tmp_path) == found
    with pytest.raises(ReliefError, match=r"labels are not healthy: no id is a thing.*\.$"):
        refuse_red(found)
    refuse_red([one for one in found if one.level != "red"])


def test_the_health_of_a_store(tmp_path):
    draw_labels(tmp_path)
    path = HealthRequest(str(tmp_path / "store"), str(tmp_path / "h"), strict=True).write()
    content = json.loads(path.read_text())
    assert content["images"] == 2
    assert {one["level"] for one in content["findings"]} == {"green"}
    with pytest.raises(UsageError, match="no label store"):
        HealthRequest(str(tmp_path), str(tmp_path / "h")).write()
