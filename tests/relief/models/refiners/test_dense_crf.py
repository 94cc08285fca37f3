from __future__ import annotations

import importlib

import pytest
import torch

from relief.models.refiners.dense_crf import DenseCRF
from relief.schema.errors import UsageError


def test_absent_library_is_told_in_a_line(monkeypatch):
    def absent(name: str):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(UsageError, match=r"pydensecrf2 is not installed: dense CRF\. Install"):
        DenseCRF().setup()


class FakeLibrary:
    """Records what it is given and answers with the unary's own probabilities."""

    class DenseCRF2D:
        last: dict

        def __init__(self, width, height, labels):
            type(self).last = {"size": (width, height, labels)}

        def setUnaryEnergy(self, unary):
            self.last["unary"] = unary

        def addPairwiseGaussian(self, **constants):
            self.last["gaussian"] = constants

        def addPairwiseBilateral(self, **constants):
            self.last["bilateral"] = constants

        def inference(self, iterations):
            import numpy as np

            self.last["iterations"] = iterations
            return np.exp(-self.last["unary"])


def test_gives_the_library_the_published_constants(monkeypatch):
    monkeypatch.setattr(importlib, "import_module", lambda name: FakeLibrary)
    probabilities = torch.rand(3, 4, 5).softmax(dim=0)
    image = torch.zeros(3, 4, 5)
    image[0] = 1.0  # red
    crf = DenseCRF()
    refined = crf.refine(probabilities, image)
    assert torch.allclose(refined, probabilities, atol=1e-5)
    given = FakeLibrary.DenseCRF2D.last
    assert given["size"] == (5, 4, 3)
    assert given["iterations"] == 10
    assert given["gaussian"] == {"sxy": 1.0, "compat": 3.0}
    picture = given["bilateral"].pop("rgbim")
    assert given["bilateral"] == {"sxy": 67.0, "srgb": 3.0, "compat": 4.0}
    assert picture.shape == (4, 5, 3)
    assert picture[0, 0].tolist() == [0, 0, 255]  # BGR


def test_borders_move_to_the_images_edge():
    pytest.importorskip("pydensecrf.densecrf", reason="pydensecrf2 is not installed")
    image = torch.zeros(3, 40, 60)
    image[:, :, 30:] = 1.0
    probabilities = torch.full((2, 40, 60), 0.3)
    probabilities[0, :, :26] = 0.7
    probabilities[1, :, 26:] = 0.7
    refined = DenseCRF().refine(probabilities, image)
    assert torch.allclose(refined.sum(dim=0), torch.ones(40, 60), atol=1e-4)
    expected = (torch.arange(60) >= 30).long().expand(40, 60)
    assert (refined.argmax(dim=0) == expected).float().mean() > 0.99
    assert (probabilities.argmax(dim=0) == expected).float().mean() < 0.95
