"""A network that gives whole predictions is seen in several views, too."""

import pytest
import torch

from relief.models.segmenters.prediction.test_time_augmentation import TestTimeAugmentation as Views
from relief.models.segmenters.prediction.view_merging import View, merge_predictions, merge_steps
from relief.schema.training import ViewSteps
from tests.relief.models.segmenters.prediction.test_test_time_augmentation import (
    ColourBlocks,
    street,
)


class Whole:
    """Predicts as `ColourBlocks` does, and has no steps; `say` changes what is found."""

    def __init__(self, say=lambda number, found: found):
        self.say, self.asked = say, []

    def predict(self, image, size=None):
        inner, own_size = ColourBlocks(), tuple(image.shape[-2:])
        self.asked.append(own_size)
        scale = torch.tensor((size[1] / own_size[1], size[0] / own_size[0]) * 2)
        logits = torch.nn.functional.interpolate(inner.semantic_logits(image), size)
        objects = []
        for found, painted in zip(inner.boxes(image), logits.argmax(dim=1), strict=True):
            boxes = found["boxes"] * scale
            masks = torch.zeros(len(boxes), *size, dtype=torch.bool)
            for mask, box, thing in zip(masks, boxes.round().long(), found["classes"], strict=True):
                inside = (slice(box[1], box[3]), slice(box[0], box[2]))
                mask[inside] = painted[inside] == thing
            objects.append({**found, "boxes": boxes, "masks": masks})
        return {"semantic_logits": logits, "detections": self.say(len(self.asked), objects)}


def test_mirror_images_change_nothing_for_a_network_that_is_equivariant():
    assert not isinstance(Whole(), ViewSteps)
    one = Views(scales=(1.0,), flip=False)(Whole(), street())
    both = Views(scales=(1.0,), views_per_batch=1)(Whole(), street())
    torch.testing.assert_close(both["semantic_logits"], one["semantic_logits"])
    for name, value in one["detections"][0].items():
        assert torch.equal(both["detections"][0][name], value), name
    assert len(one["detections"][0]["scores"]) == 2


@pytest.mark.parametrize("size", [None, (42, 70)])
def test_scales_find_what_a_network_in_steps_finds(size):
    network = Whole()
    found, expected = Views()(network, street(), size), Views()(ColourBlocks(), street(), size)
    assert network.asked == [(42, 70), (63, 105), (84, 140)]
    (ours,), (theirs,) = found["detections"], expected["detections"]
    torch.testing.assert_close(ours["boxes"], theirs["boxes"], atol=1e-4, rtol=0)
    assert torch.equal(ours["classes"], theirs["classes"])
    for mask, other in zip(ours["masks"], theirs["masks"], strict=True):
        assert (mask & other).sum() > 0.95 * (mask | other).sum()
    same = found["semantic_logits"].argmax(dim=1) == expected["semantic_logits"].argmax(dim=1)
    assert same.float().mean() > 0.97


def test_the_surest_view_gives_the_mask():
    def say(number, objects):
        """The second view, the mirror image, is surer, and sees a corner only."""
        for found in objects:
            found["scores"] = found["scores"] - 0.05 * (2 - number)
            if number == 2:
                found["masks"][..., :40, :] = False
        return objects

    views = Views(scales=(1.0,), views_per_batch=1)
    (found,) = views(Whole(say), street())["detections"]
    assert found["scores"].tolist() == pytest.approx([0.95, 0.85])
    assert not found["masks"][:, :40].any()
    assert found["masks"][0, 40:56, 8:36].all()


def test_views_without_objects_give_none():
    view = View(torch.zeros(1, 3, 8, 8), (False,), (8, 8))

    def none(number, objects):
        return [{name: value[:0] for name, value in found.items()} for found in objects]

    def all_of_them(found):
        return torch.arange(len(found["scores"]))

    for merge, network in ((merge_predictions, Whole(none)), (merge_steps, ColourBlocks())):
        probabilities, objects = merge(network, [view], (8, 8), all_of_them)
        assert probabilities.shape == (4, 8, 8)
        assert objects["masks"].shape == (0, 8, 8)
