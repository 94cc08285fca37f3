import dataclasses

import torch

from relief.models.confidence.mirror_agreement import MirrorAgreement
from tests.contracts.confidence import ConfidenceContract, drawn_evidence


def test_a_mirror_image_that_looks_the_same_agrees():
    assert MirrorAgreement().of(drawn_evidence()).unique().tolist() == [1.0]


def test_where_the_mirror_image_has_another_category_labels_are_unsure():
    evidence = drawn_evidence()
    mirrored = evidence.mirrored()
    other = mirrored.semantic.clone()
    other[:, :8, :8] = 3 - other[:, :8, :8].clamp(min=0)
    seen = dataclasses.replace(mirrored, semantic=other)
    sure = MirrorAgreement().of(dataclasses.replace(evidence, mirrored=lambda: seen))
    corner = torch.zeros(sure.shape, dtype=torch.bool)
    corner[:8, -8:] = True
    assert (sure[corner] < 1).all()
    assert (sure[~corner & (evidence.instance == 0)] == 1).all()


class TestMirrorAgreement(ConfidenceContract):
    def confidence(self):
        return MirrorAgreement()
