import torch
from torch import nn

from relief.models.segmenters.frozen_features import FrozenFeatures
from tests.relief.models.segmenters.test_guided_pyramid import Patches


class Holder(nn.Module):
    def __init__(self):
        super().__init__()
        self.own = nn.Linear(2, 2)
        self.frozen = FrozenFeatures(Patches(), 2.0).held_by(self)


def test_it_sees_images_magnified_in_whole_patches_and_within_their_range():
    features = FrozenFeatures(Patches(), 2.0)
    seen = features(torch.full((1, 3, 30, 45), 1.5, requires_grad=True))
    assert seen.shape == (1, 3, 4, 6)  # 60 and 90 px are 4.3 and 6.4 patches
    assert seen.max() == 1
    assert not seen.requires_grad


def test_it_is_no_part_of_what_holds_it_and_is_read_with_it():
    holder = Holder()
    assert list(holder.state_dict()) == ["own.weight", "own.bias"]
    assert len(list(holder.parameters())) == 2
    assert not holder.train().frozen.network.training
    holder.load_state_dict(Holder().state_dict())
    assert holder.frozen.network.setups == 1


class Unknown(Patches):
    """Knows its channels with its weights only, as networks of timm do."""

    def __init__(self):
        super().__init__()
        self.known, self.dim = self.dim, 0

    def setup(self):
        super().setup()
        self.dim = self.known


def test_channels_that_are_not_known_yet_are_known_before_anything_is_built_on_them():
    assert FrozenFeatures(Unknown()).backbone.dim == Patches().dim
    assert FrozenFeatures(Patches()).network.setups == 0
