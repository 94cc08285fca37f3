import torch

from relief.ops.objects.parted_regions import inner_boundaries, parted_things


def test_inner_boundaries__the_rim_of_each_object_and_of_no_other_pixel():
    instance = torch.zeros(1, 6, 8, dtype=torch.int64)
    instance[0, 1:5, 1:5], instance[0, 1:5, 5:8] = 1, 2
    rim = inner_boundaries(instance)[0]
    inside = torch.zeros(6, 8, dtype=torch.bool)
    inside[2:4, 2:4] = inside[2:4, 6:8] = True  # the border of the image is no boundary
    assert torch.equal(rim, (instance[0] > 0) & ~inside)


def test_parted_things__parts_of_one_region_by_falling_area():
    region = torch.zeros(8, 12, dtype=torch.bool)
    region[1:7, 1:11] = True
    boundary = torch.zeros_like(region)
    boundary[:, 4] = True
    parts = parted_things(region, boundary, min_area_px=4, reach_px=1)
    assert parts.dtype == torch.int64
    assert parts[1:7].tolist() == [[0, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 0]] * 6
    assert not parts[[0, 7]].any()
    assert parted_things(region, boundary, 19, 0).unique().tolist() == [0, 1]
    assert not parted_things(region & False, boundary, 1, 2).any()
