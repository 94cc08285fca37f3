import pytest
import torch
from torch import nn

from relief.models.criteria import pixel_embeddings
from relief.models.criteria.pixel_embeddings import PixelEmbeddings
from relief.ops.embeddings.losses import object_means, pull_loss, push_loss
from relief.schema.errors import UsageError
from relief.schema.training import Augmentation, DetectorClasses, TrainingMoment

NO_TEACHER = {"consistency": 0.0, "pull_ring": 0.0, "push_ring": 0.0}


class Colours(nn.Module):
    """The colours of every second pixel are its embedding, times a weight."""

    def __init__(self, weight=3.0):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def embed(self, image):
        return self.weight * image[..., ::2, ::2]


def batch(images=2):
    instance = torch.zeros(images, 16, 24, dtype=torch.int64)
    instance[:, :8, :8], instance[:, 8:, 12:], instance[:, 0, 20] = 1, 2, 3  # 3 vanishes
    generator = torch.Generator().manual_seed(0)
    return {
        "image": torch.rand(images, 3, 16, 24, generator=generator),
        "semantic": torch.zeros_like(instance), "instance": instance,
        "classes": [torch.tensor([0, 1, 1])] * images, "key": ["a", "b"][:images],
    }  # fmt: skip


def moment(step=0, teacher=None):
    classes = DetectorClasses((11, 13), (0,))
    return TrainingMoment(step, lambda image: None, classes, total=10, teacher=teacher)


def test_losses_are_means_over_images_at_the_size_of_the_embeddings():
    network, given = Colours(), batch()
    found = PixelEmbeddings(**NO_TEACHER, pull=2.0, norm=0)(network, given, moment())
    assert set(found) == {"loss_pull", "loss_push", "loss_objects", "loss_unlabelled_push"}
    small = given["instance"][0, ::2, ::2].clamp(max=2) * (given["instance"][0, ::2, ::2] < 3)
    embeddings = network.embed(given["image"])
    pulls = torch.stack([pull_loss(e, small) for e in embeddings])
    pushes = torch.stack([push_loss(object_means(e, small), 1.5) for e in embeddings])
    assert torch.allclose(found["loss_pull"], 2 * pulls.mean())
    assert torch.allclose(found["loss_push"], pushes.mean())
    sum(found.values()).backward()
    assert network.weight.grad.abs() > 0


def test_dense_labels_count_what_is_no_object_as_one():
    dense = PixelEmbeddings(**NO_TEACHER, labelled_only=False)(Colours(), batch(), moment())
    sparse = PixelEmbeddings(**NO_TEACHER)(Colours(), batch(), moment())
    assert dense["loss_push"] != sparse["loss_push"]
    assert dense["loss_objects"] == sparse["loss_objects"]


def test_a_group_learns_its_own_objects_only():
    given = batch(1)
    one = PixelEmbeddings(**NO_TEACHER, categories=[13])(Colours(), given, moment())
    given["instance"][given["instance"] == 1] = 0
    alone = PixelEmbeddings(**NO_TEACHER)(Colours(), given, moment())
    assert one["loss_pull"] == alone["loss_pull"]
    assert one["loss_push"] == 0  # of a single object
    with pytest.raises(UsageError, match=r"no thing among the categories \[0\]"):
        PixelEmbeddings(**NO_TEACHER, categories=[0])(Colours(), given, moment())


def test_an_image_full_of_objects_keeps_its_first_one():
    """Closing ids up over all pixels, as published, would make it the unlabelled one."""
    given = batch(1)
    given["instance"][given["instance"] == 0] = 2
    given["instance"][given["instance"] == 3] = 2
    found = PixelEmbeddings(**NO_TEACHER)(Colours(), given, moment())
    assert found["loss_push"] > 0
    assert found["loss_unlabelled_push"] == 0


def test_rings_fade():
    def pulls(step):
        criterion = PixelEmbeddings(consistency=0, pull_ring=-0.4, ring_steps=10)
        return criterion(Colours(), batch(), moment(step))["loss_pull"].item()

    steady = PixelEmbeddings(**NO_TEACHER)(Colours(), batch(), moment())["loss_pull"].item()
    assert pulls(0) > pulls(10) > pulls(10_000)
    assert pulls(10_000) == pytest.approx(steady, rel=1e-5)


def test_the_teacher_is_agreed_with_in_unlabelled_pixels_and_gets_no_gradient():
    given, teacher = batch(), Colours()
    given["image"] = given["image"].round()  # eight colours, far apart
    criterion = PixelEmbeddings(consistency=0.1, turns=False)
    torch.manual_seed(0)
    same = criterion(Colours(), given, moment(teacher=teacher))
    assert same["loss_consistency"].item() == pytest.approx(0, abs=1e-6)
    torch.manual_seed(0)
    student = Colours(1.0)
    other = criterion(student, given, moment(teacher=teacher))["loss_consistency"]
    other.backward()
    assert other > 0.0003
    assert student.weight.grad.abs() > 0
    assert teacher.weight.grad is None
    torch.manual_seed(0)
    doubled = PixelEmbeddings(consistency=0.2, turns=False)
    assert torch.allclose(
        doubled(Colours(1.0), given, moment(teacher=teacher))["loss_consistency"], 2 * other
    )


def test_the_consistency_is_a_mean_over_images_as_the_other_losses(monkeypatch):
    values = iter([1.0, 4.0])
    monkeypatch.setattr(
        pixel_embeddings, "consistency_loss", lambda *given: torch.tensor(next(values))
    )
    criterion = PixelEmbeddings(consistency=0.1, turns=False)
    found = criterion(Colours(), batch(2), moment(teacher=Colours()))
    assert found["loss_consistency"].item() == pytest.approx(0.1 * 2.5)


class Dark(Augmentation):
    def __call__(self, batch, moment):
        return {**batch, "image": 0 * batch["image"]}


def test_the_teacher_sees_the_image_turned_and_in_other_colours():
    seen = []

    class Watched(Colours):
        def embed(self, image):
            seen.append(image)
            return super().embed(image)

    for turns, recolours in ((True, None), (False, None), (False, Dark())):
        criterion = PixelEmbeddings(turns=turns, recolours=recolours)
        found = criterion(Colours(), batch(), moment(teacher=Watched()))
        assert torch.isfinite(found["loss_consistency"])
    image = batch()["image"]
    assert not torch.allclose(seen[0], image, atol=0.1)
    assert torch.equal(seen[1], image)
    assert not seen[2].any()


def test_a_consistency_without_a_teacher_is_told():
    with pytest.raises(UsageError, match=r"model\.init_args\.teacher"):
        PixelEmbeddings()(Colours(), batch(), moment())
