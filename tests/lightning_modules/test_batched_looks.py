import pytest
import torch

from lightning_modules.batched_looks import BatchedLooks
from lightning_modules.pseudo_labeler import PseudoLabeler
from relief.models.backbones.rgb_statistics import RGBStatistics
from relief.models.labelling.observer import Seen
from relief.schema.errors import UsageError
from relief.schema.geometry import WindowGeometry
from relief.splitters.depth_gradient import DepthGradientSplitter
from tests.test_on_device import codebook_of, drawn_images


class Looking:
    """Notes how many images it is shown; those above 0.9 are not sound, those below 0 break it."""

    def __init__(self):
        self.calls = []

    def look(self, images):
        self.calls.append(len(images))
        if images.min() < 0:
            raise RuntimeError("out of memory")
        return [None if image.max() > 0.9 else Seen(None, image[:1]) for image in images]


def test_images_are_looked_at_together_and_taken_once():
    looks, observer = BatchedLooks(2), Looking()
    images = torch.tensor([0.1, 0.2, 0.95, 0.4, 0.5])[:, None, None, None].expand(5, 3, 2, 2)
    looks.begin("abcde", images)
    found = [looks.take(key, observer) for key in "abcde"]
    assert observer.calls == [2, 2, 1]
    assert found[2] is None
    depths = [seen.depth.mean().item() for seen in found if seen]
    assert depths == pytest.approx([0.1, 0.2, 0.4, 0.5])
    assert looks.take("a", observer) is None
    assert observer.calls == [2, 2, 1]


def test_a_call_that_fails_is_told_and_its_images_are_looked_at_one_by_one(caplog):
    looks, observer = BatchedLooks(2), Looking()
    looks.begin("ab", -torch.ones(2, 3, 2, 2))
    with caplog.at_level("WARNING", logger="relief"):
        assert [looks.take(key, observer) for key in "ab"] == [None, None]
    assert observer.calls == [2]
    assert "2 images at once: " in caplog.text


def test_without_the_option_nothing_is_looked_at_ahead():
    looks, observer = BatchedLooks(None), Looking()
    looks.begin("ab", torch.ones(2, 3, 2, 2))
    assert looks.take("a", observer) is None
    assert observer.calls == []
    with pytest.raises(UsageError, match="images_per_call=0: expected at least 1"):
        BatchedLooks(0)


class Shades(torch.nn.Module):
    """Depth of a network: the red channel."""

    def relative_depth(self, image, size):
        return torch.nn.functional.adaptive_avg_pool2d(image[:, :1], size)


def test_labels_are_those_of_images_looked_at_one_by_one():
    batch = drawn_images(5)
    del batch["depth"]
    batch["image"][3, 0, 5] = float("nan")

    def predicted(images_per_call):
        backbone = RGBStatistics(14)
        return PseudoLabeler(
            backbone, codebook_of(backbone), DepthGradientSplitter(0.2, 20), depth=Shades(),
            geometry=WindowGeometry(322, 322, 161), split_short_side_px=64,
            images_per_call=images_per_call,
        ).eval().predict_step(batch, 0)  # fmt: skip

    one, together = predicted(None), predicted(4)
    assert together["key"] == one["key"]
    assert len(one["key"]) == 4
    assert together["failures"] == one["failures"]
    for record, other in zip(together["records"], one["records"], strict=True):
        assert torch.equal(record.panoptic, other.panoptic)
        assert torch.equal(record.semantic, other.semantic)
