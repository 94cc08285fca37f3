import math

import pytest
import torch

from relief.ops.embeddings.losses import (
    consistency_loss,
    draw_anchors,
    kernel_width,
    mean_norm,
    object_mask_loss,
    object_means,
    pull_loss,
    push_loss,
    soft_mask,
    uncovered_px,
    unlabelled_push_loss,
)
from tests.relief.ops.thesis_golden import golden, has


class Scene:
    def __init__(self, index):
        self.index = index
        self.labels = golden(f"embedding/{index}/labels")
        self.teacher = golden(f"embedding/{index}/teacher").double()
        self.anchors = golden(f"embedding/{index}/anchors")
        self.embedding = golden(f"embedding/{index}/embedding").double().requires_grad_()

    @property
    def means(self):
        return object_means(self.embedding, self.labels)

    def losses(self):
        given, labels, means = self.embedding, self.labels, self.means
        found = {
            "sparse/pull": pull_loss(given, labels),
            "dense/pull": pull_loss(given, labels, labelled_only=False),
            "regulariser": mean_norm(means),
            "object": object_mask_loss(given, labels, means),
            "object_pooled": object_mask_loss(given, labels, means, pooled=True),
            "consistency": consistency_loss(given, self.teacher, self.anchors),
        }
        for margin in (2.0, 1.5):
            found[f"sparse/push@{margin}"] = push_loss(means, margin)
            found[f"dense/push@{margin}"] = push_loss(means, margin, labelled_only=False)
            found[f"unlabelled_push@{margin}"] = unlabelled_push_loss(given, labels, means, margin)
        return found


@pytest.mark.parametrize("index", range(4))
def test_values_and_gradients_are_the_reference(index):
    scene = Scene(index)
    torch.testing.assert_close(
        scene.means.float(), golden(f"embedding/{index}/means").float(), atol=1e-5, rtol=0
    )
    losses = scene.losses()
    for name, loss in losses.items():
        assert loss.item() == pytest.approx(float(golden(f"embedding/{index}/{name}")), rel=1e-6)
        (gradient,) = torch.autograd.grad(loss, scene.embedding, retain_graph=True)
        assert torch.isfinite(gradient).all()
        if has(f"embedding/{index}/grad/{name}"):
            expected = golden(f"embedding/{index}/grad/{name}")
            torch.testing.assert_close(gradient.float(), expected, atol=1e-5, rtol=1e-4)
    for margin in (2.0, 1.5):
        total = losses["sparse/pull"] + losses[f"sparse/push@{margin}"]
        total += 0.001 * losses["regulariser"] + losses["object_pooled"]
        total += losses[f"unlabelled_push@{margin}"]
        expected = float(golden(f"embedding/{index}/sparse/total@{margin}"))
        assert total.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("index", range(4))
def test_anchors_cover_what_the_reference_counts(index):
    scene = Scene(index)
    left = uncovered_px(scene.embedding, scene.teacher, scene.labels, scene.anchors)
    assert torch.equal(left, golden(f"embedding/{index}/remaining_px"))


def test_published_faults_are_not_repeated():
    """One Dice for all objects, or for each row of the image, lets large ones rule."""
    scene = Scene(0)
    losses = scene.losses()
    assert losses["object"].item() != pytest.approx(losses["object_pooled"].item(), rel=1e-3)
    by_row = float(golden("embedding/0/consistency_by_row"))
    assert losses["consistency"].item() != pytest.approx(by_row, rel=1e-3)


def test_no_gradient_reaches_the_teacher():
    scene = Scene(0)
    teacher = scene.teacher.requires_grad_()
    consistency_loss(scene.embedding, teacher, scene.anchors).backward()
    assert teacher.grad is None


def test_nothing_to_sum_is_zero_with_a_gradient_of_zero():
    embedding = torch.rand(3, 4, 5, requires_grad=True)
    nothing, one = torch.zeros(4, 5, dtype=torch.int64), torch.ones(4, 5, dtype=torch.int64)
    none = torch.zeros(0, 2, dtype=torch.int64)
    losses = [
        pull_loss(embedding, nothing),
        push_loss(object_means(embedding, one), 1.5),
        unlabelled_push_loss(embedding, one, object_means(embedding, one), 1.5),
        unlabelled_push_loss(embedding, nothing, object_means(embedding, nothing), 1.5),
        object_mask_loss(embedding, nothing, object_means(embedding, nothing)),
        consistency_loss(embedding, embedding, none),
    ]
    for loss in losses:
        (gradient,) = torch.autograd.grad(loss, embedding, retain_graph=True, allow_unused=True)
        assert loss.item() == 0
        assert gradient is not None and not gradient.any()
    assert uncovered_px(embedding, embedding, nothing, none).shape == (0,)


def test_a_single_pixel_and_a_label_without_pixels_give_no_nan():
    embedding = torch.rand(3, 2, 2, requires_grad=True)
    labels = torch.tensor([[0, 0], [0, 3]])
    means = object_means(embedding, labels)
    assert not means[1:3].any()
    loss = pull_loss(embedding, labels) + mean_norm(means) + push_loss(means, 1.5)
    (gradient,) = torch.autograd.grad(loss, embedding)
    assert torch.isfinite(gradient).all()
    assert loss.item() == pytest.approx(mean_norm(means).item())


def test_the_kernel_is_the_threshold_at_its_distance():
    widths, thresholds = golden("kernel/delta_v").tolist(), golden("kernel/threshold").tolist()
    distance = golden("kernel/distance")
    for row, (delta_v, threshold) in enumerate(zip(widths, thresholds, strict=True)):
        width = kernel_width(delta_v, threshold)
        assert width == pytest.approx(float(golden("kernel/two_sigma")[row]), rel=1e-9)
        torch.testing.assert_close(soft_mask(distance, width), golden("kernel/mask")[row])
    assert math.isclose(float(soft_mask(torch.tensor(0.5), kernel_width(0.5))), 0.5, rel_tol=1e-6)


def test_anchors_are_drawn_where_none_before_covers_until_little_is_left():
    columns = torch.arange(20).div(2, rounding_mode="floor").float()
    embedding = columns.expand(1, 10, 20)  # ten stripes, each 10 % of the image
    unlabelled = torch.ones(10, 20, dtype=torch.bool)
    unlabelled[:, :4] = False
    anchors = draw_anchors(embedding, embedding, unlabelled)
    assert sorted(embedding[0, anchors[:, 0], anchors[:, 1]].tolist()) == list(range(2, 10))
    assert len(draw_anchors(embedding, embedding, unlabelled, most=3)) == 3
    assert len(draw_anchors(embedding, embedding, unlabelled, least_share=0.45)) == 4
    assert len(draw_anchors(embedding, 0 * embedding, unlabelled)) == 1  # one of both covers
    assert draw_anchors(embedding, embedding, torch.zeros_like(unlabelled)).shape == (0, 2)
