import torch

from relief.models.augmentations.photometric import Photometric
from relief.schema.training import TrainingMoment
from tests.contracts.augmentation import AugmentationContract

MOMENT = TrainingMoment(step=0, predict=lambda image: None)


def batch():
    torch.manual_seed(0)
    maps = torch.zeros(4, 32, 64, dtype=torch.int64)
    return {
        "image": torch.rand(4, 3, 32, 64),
        "semantic": maps,
        "instance": maps,
        "classes": [],
        "key": [],
    }


def test_images_change_and_stay_in_range():
    given = batch()
    changed = Photometric()(given, MOMENT)
    assert changed["image"].shape == given["image"].shape
    assert changed["image"].min() >= 0 and changed["image"].max() <= 1
    assert not torch.equal(changed["image"], given["image"])
    assert changed["semantic"] is given["semantic"]


def test_gray_has_one_value_in_all_channels():
    gray = Photometric(blur_probability=0.0, jitter_probability=0.0, gray_probability=1.0)
    image = gray(batch(), MOMENT)["image"]
    torch.testing.assert_close(image[:, 0], image[:, 1])


def test_nothing_drawn_changes_nothing():
    given = batch()
    same = Photometric(blur_probability=0.0, jitter_probability=0.0, gray_probability=0.0)
    assert torch.equal(same(given, MOMENT)["image"], given["image"])


def test_blur_lowers_contrast():
    given = batch()
    blur = Photometric(blur_sigma_px=(2.0, 2.0), jitter_probability=0.0, gray_probability=0.0)
    assert blur(given, MOMENT)["image"].std() < 0.5 * given["image"].std()


def test_colours_change_by_what_is_said():
    def change(amplitude):
        torch.manual_seed(1)
        given = batch()
        jitter = (amplitude,) * 3 + (0.0,)
        only = Photometric(
            blur_probability=0.0, jitter_probability=1.0, jitter=jitter, gray_probability=0.0
        )
        return float((only(given, MOMENT)["image"] - given["image"]).abs().mean())

    assert change(0.0) < 1e-5
    assert change(0.05) < 0.3 * change(0.4)


class TestPhotometric(AugmentationContract):
    changes_the_image_only = True

    def augmentation(self):
        return Photometric()
