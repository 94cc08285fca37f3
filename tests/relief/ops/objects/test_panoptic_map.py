import torch

from relief.ops.objects.panoptic_map import compose_panoptic, majority_category, resize_depth


def test_majority_category_counts_pixels_and_breaks_ties_downwards():
    semantic = torch.tensor([[4, 4, 2, 2], [4, 1, 1, -1], [3, 3, 3, -1]])
    instance = torch.tensor([[1, 1, 1, 1], [1, 2, 2, 2], [0, 0, 0, 3]])
    # 1: three 4s beat two 2s; 2: two 1s (the ignored pixel does not vote); 3: nothing to vote
    assert majority_category(semantic, instance, 5).tolist() == [-1, 4, 1, -1]
    tied = torch.tensor([[3, 2]])
    assert majority_category(tied, torch.ones_like(tied), 5).tolist() == [-1, 2]


def test_compose_panoptic_gives_an_instance_one_category():
    semantic = torch.tensor([[0, 7, 7], [7, 6, -1], [7, 0, 0]])
    instance = torch.tensor([[0, 1, 1], [1, 1, 0], [0, 0, 0]])
    panoptic = compose_panoptic(semantic, instance, 8)
    assert panoptic[..., 0].tolist() == [[0, 7, 7], [7, 7, -1], [7, 0, 0]]
    assert panoptic[..., 1].tolist() == [[0, 1, 1], [1, 1, 0], [0, 0, 0]]


def test_compose_panoptic_has_no_instance_where_there_is_no_category():
    semantic = torch.full((1, 2), -1)
    panoptic = compose_panoptic(semantic, torch.ones_like(semantic), 3)
    assert panoptic.tolist() == [[[-1, 0], [-1, 0]]]


def test_compose_panoptic_of_an_empty_map():
    empty = torch.zeros((0, 0), dtype=torch.int64)
    assert compose_panoptic(empty, empty, 3).shape == (0, 0, 2)


def test_resize_depth_averages_when_halving_and_keeps_the_same_size():
    depth = torch.tensor([[[[0.0, 1.0], [0.5, 0.5]]]])
    assert resize_depth(depth, (2, 2)) is depth
    assert resize_depth(depth, (1, 1)).item() == 0.5
