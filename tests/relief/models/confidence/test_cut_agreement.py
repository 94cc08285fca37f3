import torch

from relief.models.confidence.cut_agreement import agreement
from tests.contracts.confidence import drawn_evidence


def test_labels_agree_fully_with_themselves_however_they_are_numbered():
    evidence = drawn_evidence()
    again = torch.where(evidence.instance > 0, evidence.instance.max() + 1 - evidence.instance, 0)
    assert agreement(evidence, evidence.semantic, again).unique().tolist() == [1.0]


def test_other_categories_disagree_outside_objects_only():
    evidence = drawn_evidence()
    sure = agreement(evidence, evidence.semantic + 1, evidence.instance)
    assert torch.equal(sure, (evidence.instance > 0).float())
