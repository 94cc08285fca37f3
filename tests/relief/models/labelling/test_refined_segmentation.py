from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from relief.models.codebooks.codebook import Codebook
from relief.models.labelling.cluster_segmentation import segment
from relief.models.labelling.readouts import ProbeReadout
from relief.models.labelling.refined_segmentation import RefinedSegmentation
from relief.schema.errors import UsageError
from relief.schema.geometry import WindowGeometry

GEOMETRY = WindowGeometry(short_side_px=56, window_px=56, stride_px=28)


class Colors:
    """Features are a patch's mean colours about gray; remembers the sizes it saw."""

    patch_px = 14
    dim = 3

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []

    def setup(self) -> None:
        pass

    def __call__(self, image: Tensor) -> Tensor:
        self.seen.append((image.shape[-2], image.shape[-1]))
        return F.avg_pool2d(image, self.patch_px) - 0.5


@pytest.fixture
def image() -> Tensor:
    coarse = torch.rand(1, 3, 5, 9, generator=torch.Generator().manual_seed(0))
    return F.interpolate(coarse, (120, 220), mode="bilinear")[0]


@pytest.fixture
def codebook() -> Codebook:
    codebook = Codebook()
    codebook.set_centroids(torch.randn(6, 3, generator=torch.Generator().manual_seed(1)))
    return codebook


def test_one_scale_without_refiner_is_the_plain_segmentation(image, codebook):
    refined = RefinedSegmentation()
    refined.setup()
    plain = segment(Colors(), codebook, image, GEOMETRY)
    assert torch.equal(refined(Colors(), codebook, image, GEOMETRY), plain)


def test_published_sizes_with_and_without_their_distortion():
    class Patch:
        patch_px = 14

    geometry, size = WindowGeometry(), (1024, 2048)
    published = RefinedSegmentation(scales=[0.75, 1.0, 1.5], keeps_aspect=False)
    sizes = [published.size_at(s, size, geometry, Patch()) for s in published.scales]
    assert sizes == [(322, 476), (322, 644), (476, 966)]
    assert RefinedSegmentation().size_at(0.75, size, geometry, Patch()) == (238, 476)


def test_scales_are_averaged_at_the_size_of_scale_1(image, codebook):
    refined = RefinedSegmentation(ProbeReadout(), scales=[0.75, 1.0, 1.5])
    backbone = Colors()
    labels = refined(backbone, codebook, image, GEOMETRY)
    assert labels.shape == (120, 220)
    assert labels.dtype == torch.int64
    single = [
        RefinedSegmentation(ProbeReadout(), scales=[s])._mean_maps(
            Colors(), codebook, image, GEOMETRY, (56, 98)
        )
        for s in refined.scales
    ]
    mean = refined._mean_maps(Colors(), codebook, image, GEOMETRY, (56, 98))
    assert torch.allclose(mean, sum(single) / 3, atol=1e-5)


class Swap:
    """Answers with the two most likely labels exchanged; keeps what it was given."""

    def setup(self) -> None:
        raise UsageError("absent: swap. Install it.")

    def refine(self, probabilities: Tensor, image: Tensor) -> Tensor:
        self.given = (probabilities, image)
        order = probabilities.argsort(dim=0, descending=True)
        swapped = probabilities.clone()
        return swapped.scatter(0, order[:1], probabilities.gather(0, order[1:2]) - 1e-3)


def test_refiner_sees_probabilities_and_the_image_at_the_networks_size(image, codebook):
    swap = Swap()
    refined = RefinedSegmentation(refiner=swap)
    labels = refined(Colors(), codebook, image, GEOMETRY)
    probabilities, small = swap.given
    assert probabilities.shape == (6, 56, 98)
    assert small.shape == (3, 56, 98)
    assert torch.allclose(probabilities.sum(0), torch.ones(56, 98), atol=1e-5)
    assert (labels != segment(Colors(), codebook, image, GEOMETRY)).all()
    with pytest.raises(UsageError):
        refined.setup()


def test_scales_must_be_positive():
    for scales in ([], [0.0, 1.0]):
        with pytest.raises(ValueError, match="scales"):
            RefinedSegmentation(scales=scales)


def test_is_put_together_from_a_configuration():
    from jsonargparse import ArgumentParser

    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(RefinedSegmentation, "segmentation")
    config = parser.parse_string("""
segmentation:
  class_path: relief.models.labelling.refined_segmentation.RefinedSegmentation
  init_args:
    readout:
      class_path: relief.models.labelling.readouts.ProbeReadout
    scales: [0.75, 1.0, 1.5]
    refiner:
      class_path: relief.models.refiners.dense_crf.DenseCRF
      init_args: {iterations: 3}
""")
    refined = parser.instantiate(config).segmentation
    assert isinstance(refined.readout, ProbeReadout)
    assert refined.refiner.iterations == 3
    assert refined.scales == (0.75, 1.0, 1.5)
