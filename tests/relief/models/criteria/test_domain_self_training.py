from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from relief.models.criteria.domain_self_training import DomainSelfTraining
from relief.models.self_training.views import CroppedViews
from relief.schema.errors import UsageError
from relief.schema.training import DetectorClasses, SegmenterPrediction, TrainingMoment

CLASSES = DetectorClasses((2,), (0, 1), apart=True)  # regions: -, 0, 1, 2
SIZE = (16, 24)


class Colours(nn.Module):
    """Sees red as region 1, green as 2 and blue as 3; region 0 never."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(6.0))

    def logits(self, image):
        return torch.cat((torch.full_like(image[:, :1], -20.0), image * self.scale), dim=1)

    def forward(self, batch, moment):
        return {"loss_semantic": self.scale * 0 + 2.0}

    def predict(self, image, size=None):
        with torch.no_grad():
            return SegmenterPrediction(semantic_logits=self.logits(image), detections=[])


def unlabelled():
    """Two images: left red, right green, a blue strip and a gray one."""
    image = torch.zeros(2, 3, *SIZE)
    image[:, 0, :, :12] = 1
    image[:, 1, :, 12:] = 1
    image[:, :, :3] = torch.tensor([0.0, 0, 1]).view(3, 1, 1)
    image[:, :, -3:] = 0.5
    return {"unlabelled": {"image": image}}


def moment(teacher):
    return TrainingMoment(step=0, predict=None, classes=CLASSES, teacher=teacher)


def criterion(**options):
    options = {"augmentations": [], "views": CroppedViews(number=3)} | options
    return DomainSelfTraining(**options)


def test_sure_pixels_are_learned_from_all_views():
    torch.manual_seed(0)
    teach, student, teacher = criterion(), Colours(), Colours()
    losses = teach(student, unlabelled(), moment(teacher))
    assert losses["loss_semantic"] == 2
    losses["loss_target"].backward()
    assert student.scale.grad < 0  # surer
    assert teacher.scale.grad is None
    taught = teach.pictures
    assert taught.label.shape == SIZE
    red = (taught.image[0] > 0.99) & (taught.image[1] < 0.01)
    assert (taught.label[red] == 0).all()
    gray = (taught.image - 0.5).abs().amax(dim=0) < 0.01
    assert (taught.label[gray] == -1).all()  # a third each: below the share of the maximum
    assert (taught.margin[gray] < 0).all()
    assert 0 < teach.figures["labelled_share"] < 1
    assert {"threshold_0", "prior_2"} <= set(teach.figures)
    assert teach.prior[0] == pytest.approx(0, abs=1e-6)


def test_how_far_student_and_teacher_agree_is_told():
    class Reversed(Colours):
        def logits(self, image):
            return super().logits(image.flip(1))  # red is region 3, blue is 1

    shares = []
    for student in (Colours(), Reversed()):
        torch.manual_seed(0)
        teach = criterion()
        teach(student, unlabelled(), moment(Colours()))
        shares.append(float(teach.figures["agreement"]))
    assert shares[0] == 1
    assert 0.2 < shares[1] < 0.6  # green only
    teach = criterion(floor=1.0)
    teach(Colours(), unlabelled(), moment(Colours()))
    assert teach.figures["agreement"] == 0


def test_the_loss_is_the_published_one():
    torch.manual_seed(0)
    teach = criterion(fusion=None, views=CroppedViews(number=1, flip_probability=0.0), beta=None)
    network = Colours()
    found = teach(network, unlabelled(), moment(copy.deepcopy(network)))["loss_target"]
    image = unlabelled()["unlabelled"]["image"]
    probabilities = network.logits(image).softmax(dim=1)
    confidence, winner = probabilities.max(dim=1)
    kept = confidence > 0.75 * confidence.max()
    prior = probabilities.mean(dim=(0, 2, 3))
    expected = -((1 - prior[winner]) ** 3 * confidence.detach() * confidence.log() * kept).mean()
    torch.testing.assert_close(found, 5 * expected, rtol=1e-4, atol=0)


def test_without_agreement_of_the_views_fewer_pixels_are_learned():
    class Fickle(Colours):
        """Takes red for green in every second view."""

        def logits(self, image):
            logits = super().logits(image)
            logits[::2, 1:3] = logits[::2, 1:3].flip(1)
            return logits

    shares = {}
    for name, fusion in (("alone", {"fusion": None}), ("fused", {})):
        torch.manual_seed(1)
        teach = criterion(share=0.99, views=CroppedViews(number=2, side=(0.9, 1.0)), **fusion)
        teach(Colours(), unlabelled(), moment(Fickle()))
        shares[name] = float(teach.figures["labelled_share"])
    assert shares["fused"] < shares["alone"] - 0.2


def test_the_prior_goes_through_a_state_dict():
    torch.manual_seed(0)
    first, second = criterion(), criterion()
    first(Colours(), unlabelled(), moment(Colours()))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first.prior, second.prior)
    assert len(first.prior) == 4


def test_what_is_missing_is_told():
    with pytest.raises(UsageError, match="needs a teacher"):
        criterion()(Colours(), unlabelled(), moment(None))
    with pytest.raises(UsageError, match="DomainPair"):
        criterion()(Colours(), {}, moment(Colours()))
