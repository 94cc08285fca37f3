from __future__ import annotations

import torch

from relief.reports.figures.cluster_gallery import Patch, PatchFinder, gallery_entries, patch_strips
from relief.reports.store_figures import StoreFigures
from relief.schema.categories import cluster_categories


def squares() -> torch.Tensor:
    """Four squares of 8 px: clusters 0, 1, 2, and half ignored, half 2."""
    semantic = torch.zeros(16, 16, dtype=torch.int64)
    semantic[:8, 8:], semantic[8:, :8] = 1, 2
    semantic[8:12, 8:], semantic[12:, 8:] = -1, 2
    return semantic


def test_the_purest_square_of_each_cluster() -> None:
    finder = PatchFinder(4, cells=2)
    finder.add("a", squares())
    assert finder.patches(0) == [Patch("a", 0, 0, 8, 1.0)]
    assert finder.patches(1) == [Patch("a", 0, 8, 8, 1.0)]
    assert finder.patches(2) == [Patch("a", 8, 0, 8, 1.0)]
    assert finder.patches(3) == []


def test_the_purest_images_are_kept() -> None:
    finder = PatchFinder(1, per_cluster=2, cells=1)
    for key, rows in (("a", 1), ("b", 3), ("c", 2), ("d", 3)):
        semantic = torch.full((4, 4), -1)
        semantic[:rows] = 0
        finder.add(key, semantic)
    assert [patch.key for patch in finder.patches(0)] == ["b", "d"]
    assert finder.keys() == ["b", "d"]


def test_strips_show_the_cluster_and_dim_the_rest() -> None:
    finder = PatchFinder(3, cells=2)
    finder.add("a", squares())
    image = torch.full((3, 16, 16), 240, dtype=torch.uint8)
    strips = patch_strips(finder, lambda key: image, lambda key: squares(), patch_px=16)
    assert sorted(strips) == [0, 1, 2]
    assert strips[0].shape == (16, 16, 3)
    assert strips[0][2, 2].tolist() == [240] * 3
    assert strips[0][2, 13].tolist() == [92] * 3


def test_an_image_smaller_than_the_cells() -> None:
    finder = PatchFinder(2)
    finder.add("a", torch.tensor([[1, 1, 0]]))
    image = torch.zeros(3, 1, 3, dtype=torch.uint8)
    strips = patch_strips(finder, lambda key: image, lambda key: torch.tensor([[1, 1, 0]]))
    assert {cluster: strip.shape for cluster, strip in strips.items()} == {
        0: (84, 84, 3), 1: (84, 84, 3),
    }  # fmt: skip


def test_things_come_first_by_group_then_stuff_by_size() -> None:
    semantic = torch.zeros(16, 16, dtype=torch.int64)
    semantic[:8, 8:], semantic[8:, :8], semantic[12:, 8:] = 1, 2, 3
    finder = PatchFinder(5, cells=2)
    finder.add("a", semantic)
    figures = StoreFigures(5, torch.tensor([False, True, True, False, False]))
    figures.add(torch.stack((semantic, torch.zeros_like(semantic)), dim=-1))
    image = torch.zeros(3, 16, 16, dtype=torch.uint8)
    entries = gallery_entries(
        finder,
        lambda key: image,
        lambda key: semantic,
        cluster_categories(5, (1, 2), {1: "car"}),
        (-1, 1, 0, -1, -1),
        figures,
    )
    assert [(entry["name"], entry["kind"], entry["about"]) for entry in entries] == [
        ("cluster 2", "thing · group 0", "25.0 % · 1 image"),
        ("cluster 1 car", "thing · group 1", "25.0 % · 1 image"),
        ("cluster 0", "stuff", "37.5 % · 1 image"),
        ("cluster 3", "stuff", "12.5 % · 1 image"),
    ]
