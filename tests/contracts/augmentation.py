"""What every augmentation must do; its test inherits this class and makes `augmentation`."""

import pytest
import torch

from relief.ops.objects.instance_targets import instance_targets
from relief.schema.training import Augmentation, TrainingMoment
from tests.fake_cuda import FakeCuda, on

MOMENT = TrainingMoment(step=0, predict=lambda image: pytest.fail("the network was asked"))
SEEDS = range(4)


def drawn_batch(number: int = 3, height: int = 64, width: int = 128):
    """A batch in which every map says the same: red is the object, green the region, and so on."""
    instance = torch.zeros(number, height, width, dtype=torch.int64)
    instance[:, 20:52, 10:60] = 1
    instance[:, 26:60, 80:124] = 2
    semantic = torch.where(instance > 0, 0, 1)
    semantic[:, :, width // 2 :] += torch.where(instance[:, :, width // 2 :] > 0, 0, 1)
    weights = instance / 4 + 0.25
    image = torch.stack((weights, semantic / 4, 1 - weights), dim=1)
    return {
        "image": image, "semantic": semantic, "instance": instance, "confidence": weights,
        "copies": instance.clone(), "light": weights.clone(), "again": image.clone(),
        "kinds": {"copies": "ids", "light": "weights", "again": "image"},
        "classes": [torch.tensor([4, 7]) for _ in range(number)],
        "key": [str(index) for index in range(number)],
    }  # fmt: skip


class AugmentationContract:
    """Maps of all kinds, boxes and masks stay over their image; the batch given is untouched."""

    changes_the_image_only = False

    def augmentation(self) -> Augmentation:
        """Makes the part with settings that fit images of 64x128."""
        raise NotImplementedError

    def augmented(self, seed: int, batch=None):
        torch.manual_seed(seed)
        return self.augmentation()(batch or drawn_batch(), MOMENT)

    @pytest.mark.parametrize("seed", SEEDS)
    def test_all_maps_move_together(self, seed):
        moved = self.augmented(seed)
        size = moved["image"].shape[-2:]
        for name in ("semantic", "instance", "confidence", "copies", "light"):
            assert moved[name].shape == (3, *size), name
            assert moved[name].dtype == drawn_batch()[name].dtype, name
        near = 0.06
        close = (moved["light"] - moved["confidence"]).abs() < near
        assert close.float().mean() > 0.99
        if self.changes_the_image_only:
            return
        torch.testing.assert_close(moved["again"], moved["image"], atol=1e-5, rtol=0)
        shown = (moved["confidence"] - moved["image"][:, 0]).abs() < near
        assert shown.float().mean() > 0.99
        where = moved["copies"] / 4 + 0.25
        assert ((where - moved["light"]).abs() < near).float().mean() > 0.88

    @pytest.mark.parametrize("seed", SEEDS)
    def test_objects_are_numbered_with_boxes_around_their_masks(self, seed):
        moved = self.augmented(seed)
        for index, classes in enumerate(moved["classes"]):
            instance = moved["instance"][index]
            assert instance[instance > 0].unique().tolist() == list(range(1, len(classes) + 1))
            targets = instance_targets(instance, classes)
            for mask, box, thing in zip(*list(targets.values()), strict=True):
                rows, columns = torch.nonzero(mask, as_tuple=True)
                edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
                assert box.tolist() == [int(edge) for edge in edges]
                original = {4: 1, 7: 2}[int(thing)]
                assert (moved["copies"][index][mask] == original).float().mean() > 0.9

    @pytest.mark.parametrize("seed", SEEDS)
    def test_images_and_weights_stay_between_0_and_1(self, seed):
        moved = self.augmented(seed)
        for name in ("image", "again", "confidence", "light"):
            assert 0 <= float(moved[name].min()) <= float(moved[name].max()) <= 1

    def test_the_same_seed_gives_the_same_batch_and_leaves_the_one_given(self):
        given, fresh = drawn_batch(), drawn_batch()
        first, second = self.augmented(1, given), self.augmented(1)
        for name, value in fresh.items():
            if isinstance(value, torch.Tensor):
                assert torch.equal(given[name], value), name
                assert torch.equal(first[name], second[name]), name

    def test_a_map_of_no_known_kind_is_an_error(self):
        if self.changes_the_image_only:
            pytest.skip("moves nothing")
        for kinds in ({}, {"strange": "heat"}):
            strange = drawn_batch() | {"strange": torch.zeros(3, 64, 128)}
            strange["kinds"] = drawn_batch()["kinds"] | kinds
            with pytest.raises(ValueError, match=r"`strange` .* kind: .*Declare it under `kinds`"):
                self.augmented(0, strange)

    def test_it_computes_where_the_batch_is(self):
        expected = self.augmented(1)
        with FakeCuda():
            moved = self.augmented(1, on("cuda", drawn_batch()))
            for name, value in moved.items():
                if isinstance(value, torch.Tensor):
                    assert value.is_cuda, name
                    assert torch.equal(value.cpu(), expected[name]), name
