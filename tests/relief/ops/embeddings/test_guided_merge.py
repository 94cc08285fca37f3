import torch

from relief.ops.embeddings.guided_merge import paint_instances, voted_classes
from tests.relief.ops.thesis_golden import golden


def test_votes_and_paint_are_the_reference():
    instance = golden("vote/instance")
    classes = voted_classes(golden("vote/semantic"), instance)
    assert torch.equal(classes, golden("vote/classes"))
    labels = golden("vote/pseudo")
    before = labels.clone()
    assert torch.equal(paint_instances(labels, instance, classes), golden("vote/overlaid"))
    assert torch.equal(labels, before)


def test_void_has_no_vote_and_ties_go_to_the_lower_class():
    semantic = torch.tensor([[5, 5, 2, 2, -1, -1, -1, 3]])
    instance = torch.tensor([[1, 1, 1, 1, 2, 2, 3, 3]])
    assert voted_classes(semantic, instance).tolist() == [2, -1, 3]
    painted = paint_instances(torch.zeros_like(semantic), instance, torch.tensor([2, -1, 3]))
    assert painted.tolist() == [[2, 2, 2, 2, 0, 0, 3, 3]]
    assert voted_classes(torch.full((2, 2), -1), torch.ones(2, 2, dtype=torch.int64)).tolist() == [
        -1
    ]
