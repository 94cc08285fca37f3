from __future__ import annotations

import numpy as np
import torch

from relief.reports.figures.overlay import (
    VOID_COLOR,
    as_picture,
    outline,
    paint_depth,
    paint_edges,
    paint_features,
    paint_ids,
    paint_instances,
    paint_panoptic,
    palette_of,
    principal_axes,
)

PALETTE = palette_of([(10, 20, 30), (200, 100, 0)])
GRAY = np.full((2, 4, 3), 100, np.uint8)


def pairs(category: list[list[int]], instance: list[list[int]]) -> torch.Tensor:
    return torch.stack((torch.tensor(category), torch.tensor(instance)), dim=-1)


def test_ids_in_the_colours_of_the_palette_and_void_in_its_own() -> None:
    painted = paint_ids(torch.tensor([[0, 1, -1]]), PALETTE)
    assert painted.tolist() == [[[10, 20, 30], [200, 100, 0], list(VOID_COLOR)]]


def test_an_image_as_picture() -> None:
    image = torch.arange(24, dtype=torch.uint8).reshape(3, 2, 4)
    assert as_picture(image)[1, 2].tolist() == [6, 14, 22]


def test_lines_run_between_instances_only() -> None:
    drawn = outline(GRAY, torch.tensor([[0, 1, 1, 2], [0, 1, 1, 2]]))
    white = (drawn == 255).all(axis=-1)
    assert white.tolist() == [[False, True, False, True]] * 2


def test_instances_of_one_category_differ_and_stuff_mixes_with_the_photograph() -> None:
    panoptic = pairs([[0, 0, 0, 0], [1, 1, 1, 1]], [[0, 0, 0, 0], [3, 3, 4, 4]])
    painted = paint_panoptic(panoptic, PALETTE, GRAY).astype(int)
    assert painted[0, 0].tolist() == [55, 60, 65]  # halfway
    assert painted[0, 0].tolist() == painted[0, 3].tolist()
    lower = paint_panoptic(panoptic[1:].repeat(2, 1, 1), PALETTE, GRAY).astype(int)[1]
    assert np.abs(lower[0] - lower[3]).max() > 10


def test_thing_pixels_without_an_instance_are_reddish() -> None:
    panoptic = pairs([[0, 1, -1, 1]], [[0, 0, 0, 5]])
    painted = paint_instances(panoptic, torch.tensor([False, True]), GRAY[:1]).astype(int)
    stuff, without, void, _ = painted[0]
    assert stuff.tolist() == void.tolist() == [55, 55, 55]
    assert without[0] > without[1] + 50


def test_near_is_brighter_than_far() -> None:
    near, far = paint_depth(torch.tensor([[[0.0, 1.0]]]))[0].astype(int)
    assert near.sum() > far.sum() + 300


def test_edges_are_what_lies_above_the_threshold() -> None:
    below, at, above = paint_edges(torch.tensor([[[0.0, 0.2, 0.21]]]), 0.2)[0].tolist()
    assert above == [255, 176, 32]
    assert at != above
    assert sum(below) < sum(at)


def test_features_with_one_direction_show_it() -> None:
    direction = torch.tensor([0.0, 3.0, 4.0])
    features = [torch.linspace(-1, 1, 8).reshape(1, 2, 4) * direction[:, None, None]]
    mean, axes = principal_axes(features)
    assert torch.allclose(mean, torch.zeros(3), atol=1e-6)
    assert torch.allclose(axes[:, 0], direction / 5, atol=1e-5)
    red = paint_features(features[0], mean, axes)[..., 0].flatten().astype(int)
    assert (np.diff(red) >= 0).all()
    assert (red[0], red[-1]) == (0, 255)


def test_fewer_than_three_channels_can_be_shown() -> None:
    features = torch.rand(2, 3, 4, generator=torch.Generator().manual_seed(0))
    assert paint_features(features, *principal_axes([features])).shape == (3, 4, 3)
