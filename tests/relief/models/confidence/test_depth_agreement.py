import dataclasses

import pytest
import torch

from relief.models.confidence.depth_agreement import DepthAgreement
from relief.schema.errors import ReadError
from relief.splitters.depth_gradient import DepthGradientSplitter
from tests.contracts.confidence import ConfidenceContract, drawn_evidence


class OneDepth:
    """The same depth for every key but one."""

    def __init__(self, depth):
        self.depth = depth

    def find(self, split, key):
        return f"{split}/{key}" if key.startswith("aachen") else None

    def read(self, path):
        assert path.startswith("val/")
        return self.depth


def cut_by_depth():
    evidence = drawn_evidence()
    splitter = DepthGradientSplitter(0.1, min_area_px=4)
    split = splitter.split(evidence.observation)
    return dataclasses.replace(
        evidence,
        split=split,
        instance=split.instance[0],
        cut=lambda seen: splitter.split(seen).instance,
    )


def test_the_same_depth_cuts_the_same_objects_and_another_one_cuts_others():
    evidence = cut_by_depth()
    same = DepthAgreement(OneDepth(evidence.observation.depth[0]), "val")
    assert same.of(evidence).unique().tolist() == [1.0]
    flat = DepthAgreement(OneDepth(torch.full((1, 48, 80), 0.5)), "val").of(evidence)
    assert flat[evidence.instance > 0].min() < 0.5
    assert flat[evidence.instance == 0].unique().tolist() == [1.0]


def test_an_image_without_another_depth_cannot_be_labelled():
    evidence = dataclasses.replace(drawn_evidence(), key="bonn/bonn_1")
    with pytest.raises(ReadError, match=r"^no other depth for bonn/bonn_1"):
        DepthAgreement(OneDepth(torch.zeros(1, 48, 80)), "val").of(evidence)


class TestDepthAgreement(ConfidenceContract):
    def confidence(self):
        return DepthAgreement(OneDepth(torch.zeros(1, 48, 80)), "val")
