import torch

from relief.ops.mask_training.drop_loss import drop_loss_weights
from tests.relief.ops.cuts.golden import scene

DROP = scene("t", "drop")


def test_weights_are_the_reference():
    weights = drop_loss_weights(DROP["predicted"], DROP["target"])
    assert weights.dtype == torch.float32
    assert torch.equal(weights, DROP["weights"])
    assert 0 < int(weights.sum()) < len(weights)


def test_the_best_label_counts_strictly_above_the_bound():
    predicted = torch.tensor([[0.0, 0.0, 10.0, 10.0]])
    quarter = torch.tensor([[0.0, 0.0, 5.0, 5.0], [50.0, 50.0, 60.0, 60.0]])
    assert drop_loss_weights(predicted, quarter, 0.25).tolist() == [0]
    assert drop_loss_weights(predicted, quarter, 0.249).tolist() == [1]


def test_without_labels_nothing_counts():
    assert drop_loss_weights(DROP["predicted"], torch.zeros(0, 4)).sum() == 0
    assert drop_loss_weights(torch.zeros(0, 4), DROP["target"]).shape == (0,)


def test_a_box_counts_when_it_overlaps_any_labelled_one():
    labelled = torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10]])
    boxes = torch.tensor([[0.0, 0, 10, 4], [20, 0, 30, 5], [12, 0, 18, 10], [20, 0, 30, 10]])
    assert drop_loss_weights(boxes, labelled, 0.4).tolist() == [0, 1, 0, 1]
