import torch

from relief.ops.self_training.class_balanced_sampling import image_probabilities
from tests.relief.ops.thesis_golden import golden


def test_probabilities_are_the_published_ones():
    ignored = golden("sampling/ignored_classes").tolist()
    found = image_probabilities(golden("sampling/pixels"), ignored)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, golden("sampling/probability"))


def test_a_class_that_is_nowhere_is_drawn_uniformly():
    """The published sampler stops at such a class."""
    found = image_probabilities(torch.tensor([[4, 0], [12, 0]]))
    assert found.tolist() == [[0.25 / 2 + 0.75 * 0.25, 0.25 / 2 + 0.75 * 0.75], [0.5, 0.5]]
