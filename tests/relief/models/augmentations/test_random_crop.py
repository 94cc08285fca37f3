import torch

from relief.models.augmentations.random_crop import RandomCrop
from relief.schema.training import TrainingMoment
from tests.contracts.augmentation import AugmentationContract

MOMENT = TrainingMoment(step=0, predict=lambda image: None)
HEIGHT, WIDTH = 40, 90


def batch(number=3):
    """Each pixel of the image says where it was."""
    rows = torch.arange(HEIGHT).view(-1, 1).expand(HEIGHT, WIDTH)
    columns = torch.arange(WIDTH).expand(HEIGHT, WIDTH)
    instance = torch.zeros(number, HEIGHT, WIDTH, dtype=torch.int64)
    instance[:, :, :30] = 1
    instance[:, 10:30, 50:80] = 2
    image = torch.stack((rows / 64, columns / 128, torch.zeros(HEIGHT, WIDTH)))
    return {
        "image": image.expand(number, 3, HEIGHT, WIDTH).clone(),
        "semantic": (rows * WIDTH + columns).expand(number, HEIGHT, WIDTH).clone(),
        "instance": instance,
        "classes": [torch.tensor([4, 7])] * number,
        "key": [str(n) for n in range(number)],
    }


def test_one_size_per_batch_and_a_place_per_image():
    torch.manual_seed(0)
    sizes, places = set(), set()
    for _ in range(60):
        given = batch()
        cropped = RandomCrop((8, 12), aspect=1.5)(given, MOMENT)
        height, width = cropped["semantic"].shape[1:]
        sizes.add((height, width))
        for index in range(3):
            first = int(cropped["semantic"][index, 0, 0])
            top, left = first // WIDTH, first % WIDTH
            places.add((top, left))
            part = (index, slice(top, top + height), slice(left, left + width))
            assert torch.equal(cropped["semantic"][index], given["semantic"][part])
            shown = cropped["image"][index]
            assert (shown[0] * 64 == torch.arange(top, top + height).view(-1, 1)).all()
            assert (shown[1] * 128 == torch.arange(left, left + width)).all()
            seen = given["instance"][part]
            objects = [n for n in (1, 2) if (seen == n).sum() >= 5]
            assert cropped["classes"][index].tolist() == [{1: 4, 2: 7}[n] for n in objects]
            for number, old in enumerate(objects, start=1):
                assert torch.equal(cropped["instance"][index] == number, seen == old)
    assert sizes == {(h, round(1.5 * h)) for h in range(8, 13)}
    assert len(places) > 100
    assert max(top for top, _ in places) > HEIGHT - 12 > min(top for top, _ in places)


def test_small_images_are_cropped_to_what_there_is():
    torch.manual_seed(0)
    given = batch()
    kept = RandomCrop((512, 1024))(given, MOMENT)
    for name in ("image", "semantic", "instance"):
        assert torch.equal(kept[name], given[name])
    wide = RandomCrop((20, 20), aspect=10.0)(given, MOMENT)
    assert wide["image"].shape == (3, 3, 20, WIDTH)


def test_slivers_are_dropped():
    given = batch(1)
    given["instance"][:] = 0
    given["instance"][0, 3, 0:4] = 1
    given["instance"][0, 5, 0:5] = 2
    whole = RandomCrop((HEIGHT, HEIGHT), aspect=10.0)(given, MOMENT)
    assert whole["classes"][0].tolist() == [7]
    assert torch.equal(whole["instance"], (given["instance"] == 2).long())
    kept = RandomCrop((HEIGHT, HEIGHT), aspect=10.0, min_object_px=1)(given, MOMENT)
    assert kept["classes"][0].tolist() == [4, 7]
    assert given["classes"][0].tolist() == [4, 7]


def test_the_same_seed_cuts_the_same():
    crops = []
    for _ in range(2):
        torch.manual_seed(3)
        crops.append(RandomCrop((8, 30))(batch(), MOMENT))
    assert torch.equal(crops[0]["image"], crops[1]["image"])


class TestRandomCrop(AugmentationContract):
    def augmentation(self):
        return RandomCrop((24, 60), min_object_px=5)
