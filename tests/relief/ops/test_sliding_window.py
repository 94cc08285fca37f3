import pytest
import torch
import torch.nn.functional as F
from torch import nn

from relief.ops.sliding_window import (
    extract_windows,
    network_size,
    sliding_window_features,
    window_starts,
)
from relief.schema.errors import ReadError
from tests.relief.ops.largest_tensor import LargestTensor


class MixedPatches(nn.Module):
    """A stand-in for a network: a patch's features depend on the whole window."""

    patch_px = 14
    dim = 12

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.weight = torch.randn(12, 3, 14, 14, generator=generator) / 14
        self.largest_batch = 0

    def setup(self) -> None:
        pass

    def forward(self, image):
        self.largest_batch = max(self.largest_batch, len(image))
        patches = F.conv2d(image - 0.5, self.weight, stride=14)
        return patches + 0.3 * torch.sin(patches.mean(dim=(2, 3), keepdim=True) * 50)


@pytest.fixture
def backbone():
    return MixedPatches()


def image_of(height, width, seed=0):
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("size", "short_side_px", "expected"),
    [
        ((1024, 2048), 322, (322, 644)),
        ((1024, 2048), 1022, (1022, 2044)),
        ((2048, 1024), 322, (644, 322)),
        ((375, 1242), 322, (322, 1064)),  # round(1066.5) = 1066, not a multiple of 14
        ((10, 4000), 14, (14, 5600)),
    ],
)
def test_network_size(size, short_side_px, expected):
    assert network_size(size, short_side_px, patch_px=14) == expected


def test_network_size_is_never_empty():
    assert network_size((30, 30), short_side_px=8, patch_px=14) == (14, 14)


@pytest.mark.parametrize(
    ("side_px", "expected"),
    [
        (322, [0]),
        (644, [0, 161, 322]),
        (434, [0, 112]),
        (700, [0, 161, 322, 378]),
        (483, [0, 161]),
        (200, [0]),
    ],
)
def test_window_starts(side_px, expected):
    assert window_starts(side_px, 322, 161) == expected


@pytest.mark.parametrize("stride_px", [-5, 0, 323])
def test_windows_without_gaps(stride_px):
    with pytest.raises(ValueError, match=rf"Expected `stride_px` in 1\.\.322, got {stride_px}\."):
        window_starts(1008, 322, stride_px)
    assert window_starts(1008, 322, 322) == [0, 322, 644, 686]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_features_that_are_not_finite_are_no_labels(backbone, value):
    image = image_of(322, 1008)
    backbone.weight[0, 0, 0, 0] = value
    with pytest.raises(ReadError, match=r"^features are not finite: MixedPatches gives NaN"):
        extract_windows(backbone, image)


def test_full_resolution_has_72_windows():
    assert len(window_starts(1022, 322, 161)) * len(window_starts(2044, 322, 161)) == 72


SHAPES = [(322, 644), (434, 700), (322, 322), (196, 518), (140, 98)]


@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_dense_equals_the_plain_reference(backbone, height, width):
    image = image_of(height, width)
    reference = sliding_window_features(backbone, image)[0]
    dense = extract_windows(backbone, image).dense()
    torch.testing.assert_close(dense, reference, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_grid_is_the_mean_over_blocks_of_the_reference(backbone, height, width):
    image = image_of(height, width)
    reference = sliding_window_features(backbone, image)[0]
    for size in [(height // 14, width // 14), (7, 5)]:
        grid = extract_windows(backbone, image).grid(size)
        expected = F.adaptive_avg_pool2d(reference, size)
        torch.testing.assert_close(grid, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_clusters_are_the_arg_max_of_cosines_per_pixel(backbone, height, width):
    image = image_of(height, width)
    centroids = F.normalize(torch.randn(30, 12, generator=torch.Generator().manual_seed(1)), dim=1)
    reference = F.normalize(sliding_window_features(backbone, image)[0], dim=0)
    cosines = torch.einsum("kc,chw->khw", centroids, reference)
    features = extract_windows(backbone, image)
    clusters = features.clusters(centroids)
    assert clusters.dtype == torch.int64
    assert_equal_but_for_near_ties(clusters, cosines)
    assert len(clusters.unique()) > 5
    blocks_of_seven = features.clusters(centroids, max_bytes=7 * 161 * 161 * 4)
    assert torch.equal(blocks_of_seven, clusters)
    assert torch.equal(features.clusters(centroids, max_bytes=1), clusters)


def test_classes_take_the_maximum_over_their_clusters(backbone):
    image = image_of(322, 644)
    generator = torch.Generator().manual_seed(1)
    centroids = F.normalize(torch.randn(20, 12, generator=generator), dim=1)
    class_of_cluster = torch.arange(20) % 5
    class_of_cluster[[3, 4]] = -1
    reference = F.normalize(sliding_window_features(backbone, image)[0], dim=0)
    cosines = torch.einsum("kc,chw->khw", centroids, reference)
    logits = torch.stack([cosines[class_of_cluster == c].amax(dim=0) for c in range(5)])
    classes = extract_windows(backbone, image).classes(centroids, class_of_cluster, num_classes=5)
    assert_equal_but_for_near_ties(classes, logits)


def test_a_class_without_cluster_wins_where_all_others_are_negative(backbone):
    image = image_of(322, 644)
    direction = sliding_window_features(backbone, image)[0].mean(dim=(1, 2))
    centroids = F.normalize(torch.stack([-direction, torch.eye(12)[0]]), dim=1)
    reference = F.normalize(sliding_window_features(backbone, image)[0], dim=0)
    cosines = torch.einsum("kc,chw->khw", centroids, reference)
    logits = torch.stack([cosines[1], torch.zeros(322, 644), cosines[0], torch.zeros(322, 644)])
    features = extract_windows(backbone, image)
    classes = features.classes(centroids, torch.tensor([2, 0]), num_classes=4)
    assert set(classes.unique().tolist()) > {1}
    assert 3 not in classes  # the first of the absent classes, as an arg-max says
    assert_equal_but_for_near_ties(classes, logits)


def test_windows_go_through_the_network_in_small_batches(backbone):
    extract_windows(backbone, image_of(322, 322 + 20 * 161 // 14 * 14))
    assert backbone.largest_batch == 8


def test_no_map_of_features_at_label_size(backbone):
    """From image to clusters the largest tensor stays below C x H x W: no copy of all features."""
    image, centroids = image_of(966, 1288), F.normalize(torch.eye(12)[:3] + 0.1, dim=1)
    with LargestTensor() as watch:
        clusters = extract_windows(backbone, image).clusters(centroids)
    assert clusters.shape == (966, 1288)
    assert clusters.numel() <= watch.numel < 12 * 966 * 1288 / 3


def test_only_one_image_at_a_time(backbone):
    with pytest.raises(ValueError, match=r"Expected `image` to be \(1, 3, H, W\), got \(2, "):
        extract_windows(backbone, torch.zeros(2, 3, 322, 322))


def assert_equal_but_for_near_ties(labels, logits):
    best = logits.max(dim=0).values
    chosen = logits.gather(0, labels[None])[0]
    assert (best - chosen).max() < 1e-5
