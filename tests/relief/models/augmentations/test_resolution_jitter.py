import torch

from relief.models.augmentations.resolution_jitter import ResolutionJitter
from relief.schema.training import TrainingMoment
from tests.contracts.augmentation import AugmentationContract

MOMENT = TrainingMoment(step=0, predict=lambda image: None)


def batch():
    semantic = torch.full((2, 64, 128), -1)
    semantic[:, 16:] = 3
    instance = torch.zeros_like(semantic)
    instance[:, 16:48, 32:96] = 1
    instance[:, 60:62, 2:4] = 2
    image = torch.zeros(2, 3, 64, 128)
    image[:, 0, 16:] = 1.0
    image[:, 1, 16:48, 32:96] = 1.0
    classes = [torch.tensor([5, 6])] * 2
    return {
        "image": image,
        "semantic": semantic,
        "instance": instance,
        "classes": classes,
        "key": [],
    }


def test_everything_has_the_new_size_and_agrees():
    resized = ResolutionJitter(heights_px=[96])(batch(), MOMENT)
    assert resized["image"].shape == (2, 3, 96, 192)
    assert resized["semantic"].shape == resized["instance"].shape == (2, 96, 192)
    assert torch.equal(resized["instance"][0] == 1, resized["image"][0, 1] > 0.5)
    assert torch.equal(resized["semantic"][0] == 3, resized["image"][0, 0] > 0.5)
    assert resized["classes"][0].tolist() == [5, 6]


def test_objects_of_four_pixels_are_dropped():
    same = ResolutionJitter(heights_px=[64])(batch(), MOMENT)
    assert same["classes"][1].tolist() == [5]
    assert same["instance"].max() == 1


def test_the_whole_batch_has_one_of_the_heights():
    jitter = ResolutionJitter(heights_px=[32, 64], multiple_px=32)
    torch.manual_seed(0)
    heights = {jitter(batch(), MOMENT)["image"].shape[-2:] for _ in range(20)}
    assert heights == {(32, 64), (64, 128)}


class TestResolutionJitter(AugmentationContract):
    def augmentation(self):
        return ResolutionJitter((32, 48, 64, 96), multiple_px=16)
