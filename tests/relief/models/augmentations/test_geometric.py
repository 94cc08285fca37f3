import torch

from relief.models.augmentations.geometric import GeometricAugmentation, resized
from tests.contracts.augmentation import AugmentationContract, drawn_batch


class Shifted(GeometricAugmentation):
    """Moves everything to the right; pixels from outside come in."""

    min_object_px = 600

    def draw(self, batch):
        shift_px = int(torch.randint(1, 30, ()))

        def move(maps, kinds):
            moved = {}
            for name, kind in kinds.items():
                moved[name] = maps[name].roll(shift_px, -1)
                moved[name][..., :shift_px] = -1 if kind == "ids" else 0
            return moved

        return move


class TestShifted(AugmentationContract):
    def augmentation(self):
        return Shifted()


def test_what_comes_from_outside_is_ignored_and_no_object():
    torch.manual_seed(0)
    moved = Shifted()(drawn_batch(), None)
    assert (moved["semantic"][..., 0] == -1).all()
    assert (moved["instance"][..., 0] == 0).all()
    assert (moved["confidence"][..., 0] == 0).all()


def test_resized__ids_are_never_mixed_and_large_ones_survive():
    ids = torch.tensor([[[0, 2**40], [7, 7]]])
    assert resized(ids, "ids", (2, 4)).tolist() == [[[0, 0, 2**40, 2**40], [7, 7, 7, 7]]]


def test_resized__images_and_weights_are_mixed():
    weights = torch.tensor([[[0.0, 1.0]]])
    for values in (weights, weights[:, None]):
        smaller = resized(values, "weights", (1, 1))
        assert smaller.shape == (*values.shape[:-1], 1)
        assert smaller.flatten().tolist() == [0.5]
