import torch

from relief.reports.figures.feature_picture import paint_features


def test_alike_features_have_alike_colours_below_their_image():
    kinds = torch.randn(3, 5, generator=torch.manual_seed(0))
    ids = torch.tensor([[[0, 1], [2, 0]], [[1, 1], [0, 2]]])
    image = torch.full((2, 3, 4, 4), 0.2)
    picture = torch.from_numpy(paint_features(image, kinds[ids].movedim(-1, 1)))
    assert picture.shape == (8, 8, 3)
    assert (picture[:4] == 51).all()
    below = picture[4::2, ::2].reshape(2, 2, 2, 3).movedim(1, 0)  # (B, 2, 2, RGB)
    colours = [below[ids == kind].unique(dim=0) for kind in range(3)]
    assert [len(colour) for colour in colours] == [1, 1, 1]
    assert len(torch.cat(colours).unique(dim=0)) == 3


def test_features_without_any_difference_are_gray():
    picture = paint_features(torch.zeros(1, 3, 2, 2), torch.ones(1, 4, 1, 1))
    assert set(picture[2:].flatten().tolist()) <= {127, 128}
