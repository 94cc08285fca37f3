import torch

from relief.ops.splitting.neighbourhood import average_around


def test_the_mean_of_nine_with_repeated_borders():
    features = torch.zeros(1, 1, 3, 4)
    features[0, 0, 0, 0] = 9.0
    features[0, 0, 1, 2] = 18.0
    expected = torch.tensor([[4.0, 4.0, 2.0, 2.0], [2.0, 3.0, 2.0, 2.0], [0.0, 2.0, 2.0, 2.0]])
    assert torch.allclose(average_around(features, 1)[0, 0], expected)


def test_a_constant_stays():
    features = torch.full((2, 3, 5, 6), 0.7)
    assert torch.allclose(average_around(features, 3), features)
