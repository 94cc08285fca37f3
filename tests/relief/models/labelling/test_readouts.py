from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from relief.models.codebooks.codebook import Codebook
from relief.models.labelling.readouts import CosineReadout, ProbeReadout
from relief.ops.sliding_window import extract_windows, sliding_window_features

GOLDEN = Path(__file__).parents[3] / "golden" / "cause_tr.npz"


class Patches:
    """Features: five random mixtures of a patch's colours."""

    patch_px = 14
    dim = 5

    def setup(self) -> None:
        pass

    def __call__(self, image: Tensor) -> Tensor:
        mixture = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
        pooled = F.avg_pool2d(image, self.patch_px) - 0.5
        return torch.einsum("dc,bchw->bdhw", mixture, pooled)


@pytest.fixture
def image() -> Tensor:
    return torch.rand(1, 3, 84, 140, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def codebook() -> Codebook:
    codebook = Codebook()
    generator = torch.Generator().manual_seed(2)
    codebook.set_centroids(torch.randn(7, 5, generator=generator))
    return codebook


def with_classes(codebook: Codebook, classes: list[int]) -> Codebook:
    groups = torch.full((len(classes),), -1)
    codebook.fill(
        codebook.centroids,
        groups >= 0,
        groups,
        torch.tensor(classes),
        {"classes": "cityscapes19"},
    )
    return codebook


def test_cosines_are_those_of_the_plain_reference(image, codebook):
    features = extract_windows(Patches(), image, 56, 28)
    dense = sliding_window_features(Patches(), image, 56, 28)[0]
    expected = torch.einsum("kc,chw->khw", codebook.unit_centroids, F.normalize(dense, dim=0))
    maps = CosineReadout().maps(features, codebook)
    assert torch.allclose(maps, expected, atol=1e-5)
    assert torch.equal(maps.argmax(0), features.clusters(codebook.unit_centroids))


def test_class_maps_take_the_best_cluster_and_0_for_none(image, codebook):
    features = extract_windows(Patches(), image, 56, 28)
    cosines = CosineReadout().maps(features, codebook)
    with_classes(codebook, [0, 0, 3, 3, 18, -1, 18])
    maps = CosineReadout().maps(features, codebook)
    assert maps.shape == (19, 84, 140)
    assert torch.equal(maps[0], cosines[:2].amax(0))
    assert torch.equal(maps[18], torch.maximum(cosines[4], cosines[6]))
    assert torch.equal(maps[1], torch.zeros(84, 140))


def test_published_class_logits():
    from relief.models.backbones.cause_tr import CauseTR

    with np.load(GOLDEN, allow_pickle=False) as arrays:
        golden = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    parts = [
        {n.removeprefix(p): t for n, t in golden.items() if n.startswith(p)}
        for p in ("w/backbone.", "w/segment.")
    ]
    backbone = CauseTR.from_state_dicts(*parts, golden["codebook"], num_heads=3)
    codebook = Codebook()
    codebook.set_centroids(golden["centroids"])
    with_classes(codebook, golden["cluster_to_class"].long().tolist())
    with torch.no_grad():
        features = extract_windows(backbone, golden["image_322x644_u8"].float() / 255)
        maps = CosineReadout().maps(features, codebook)
    expected = golden["class_logits_322x644_at_7_14"]
    assert (maps[:, 7::14, 7::14] - expected).abs().max() < 1e-4


def test_probe_maps_are_log_probabilities_enlarged_per_window(image, codebook):
    class Probe(Patches):
        dim = 7

        def __call__(self, image: Tensor) -> Tensor:
            tokens = F.normalize(super().__call__(image), dim=1)
            cosines = torch.einsum("kc,bchw->bkhw", codebook.unit_centroids, tokens)
            return (3 * cosines).log_softmax(dim=1)

    expected = sliding_window_features(Probe(), image, 56, 28)[0]
    readout = ProbeReadout()
    maps = readout.maps(extract_windows(Patches(), image, 56, 28), codebook)
    assert torch.allclose(maps, expected, atol=1e-5)
    probabilities = readout.probabilities(maps)
    assert torch.allclose(probabilities, (3 * expected).softmax(0), atol=1e-5)
