import torch

from relief.ops.objects.instance_targets import (
    instance_boxes,
    instance_targets,
    renumber_instances,
    tidy_instances,
)

MAP = torch.tensor(
    [
        [0, 1, 1, 0, 0],
        [0, 1, 0, 0, 3],
        [0, 0, 0, 0, 3],
    ]
)


def test_boxes_include_the_last_pixel():
    boxes = instance_boxes(MAP, 3)
    assert boxes.tolist() == [[1, 0, 3, 2], [0, 0, 0, 0], [4, 1, 5, 3]]
    assert boxes.dtype == torch.float32


def test_an_empty_map_has_no_boxes():
    assert instance_boxes(torch.zeros(4, 6, dtype=torch.int64), 0).shape == (0, 4)
    assert instance_boxes(torch.zeros(4, 6, dtype=torch.int64), 2).tolist() == [[0] * 4] * 2


def test_renumbering_closes_gaps_and_drops_the_small():
    instance, classes = renumber_instances(MAP, torch.tensor([7, 8, 9]))
    assert instance.tolist() == [[0, 1, 1, 0, 0], [0, 1, 0, 0, 2], [0, 0, 0, 0, 2]]
    assert classes.tolist() == [7, 9]
    instance, classes = renumber_instances(MAP, torch.tensor([7, 8, 9]), min_pixels=3)
    assert instance.tolist() == [[0, 1, 1, 0, 0], [0, 1, 0, 0, 0], [0, 0, 0, 0, 0]]
    assert classes.tolist() == [7]


def test_targets_belong_together():
    targets = instance_targets(MAP, torch.tensor([7, 8, 9]))
    assert targets["classes"].tolist() == [7, 9]
    assert targets["boxes"].tolist() == [[1, 0, 3, 2], [4, 1, 5, 3]]
    assert torch.equal(targets["masks"], torch.stack((MAP == 1, MAP == 3)))


def test_tidying_goes_over_all_images():
    batch = {"instance": torch.stack((MAP, MAP)), "classes": [torch.tensor([7, 8, 9])] * 2}
    tidy = tidy_instances(batch, min_pixels=3)
    assert [classes.tolist() for classes in tidy["classes"]] == [[7], [7]]
    assert tidy["instance"].max() == 1
    assert torch.equal(batch["instance"][0], MAP)
