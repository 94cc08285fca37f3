from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from relief.models.backbones.cause_tr import CauseTR
from relief.ops.kmeans import fit_kmeans
from relief.ops.resize import resize_nearest
from relief.ops.sliding_window import extract_windows
from relief.samples.draw import draw_sample
from relief.samples.features.feature_learner import (
    LearningPlan,
    direction_loss,
    fill_codebook,
    learn_features,
    shifted_views,
)
from relief.samples.features.student import new_student
from relief.samples.train_images import load_train_images
from relief.schema.label_spaces import CITYSCAPES_19
from relief.sources.cityscapes import CityscapesSource


def some_images(count=2, width=350):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, 322, width), generator=generator).to(torch.uint8)


def small_student():
    return new_student(width=32, depth=1, num_heads=1, hidden=16, codes=8)


def test_shifted_views_are_the_images_moved_by_less_than_a_patch():
    images = some_images()
    views = shifted_views(images, 2, torch.Generator().manual_seed(0))
    assert views.shape == (6, 3, 322, 350)
    assert torch.equal(views[:2], images)
    inner = views[2, :, 100:200, 100:200]
    shifts = [
        (down, right)
        for down in range(-7, 8)
        for right in range(-7, 8)
        if torch.equal(inner, images[0, :, 100 + down : 200 + down, 100 + right : 200 + right])
    ]
    assert len(shifts) == 1
    assert shifts != [(0, 0)]


def test_direction_loss_knows_no_length():
    features = torch.randn(2, 5, 3, 3, generator=torch.Generator().manual_seed(0))
    assert direction_loss(features, 7 * features) < 1e-6
    assert torch.isclose(direction_loss(features, -features), torch.tensor(2.0))


def test_the_codebook_becomes_the_means_of_the_tokens():
    network = small_student()
    before = network.head.codebook.clone()
    images = some_images()
    fill_codebook(network, images, seed=0)
    assert not torch.allclose(network.head.codebook, before)
    tokens = network.tokens(images[..., :322] / 255)[:, 1:].flatten(0, 1)
    assert torch.cdist(tokens, network.head.codebook).min(dim=1).values.mean() < (
        torch.cdist(tokens, before).min(dim=1).values.mean()
    )


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("sample")
    draw_sample(root, train_images=10, val_images=1, seed=1)
    return root


@pytest.mark.slow
def test_a_short_course_beats_random_weights(sample, tmp_path):
    images = load_train_images(sample)
    plan = LearningPlan(steps=200, codebook_step=60, batch_size=2, shifted_views=0)
    lines: list[str] = []
    network = learn_features(images, plan, lines.append)
    assert lines
    network.save(tmp_path / "learned.safetensors", {}, half=True)
    learned = CauseTR(str(tmp_path / "learned.safetensors"))
    random = CauseTR(str(tmp_path / "learned.safetensors"), random_seed=0)
    classes = class_of_patches(sample)
    scores = {}
    for name, backbone in (("learned", learned), ("random", random)):
        backbone.setup()
        features = [extract_windows(backbone, image[None] / 255).grid((23, 46)) for image in images]
        scores[name] = mean_iou(torch.stack(features), classes)
    assert scores["learned"] > 1.2 * scores["random"], scores


def class_of_patches(root: Path):
    tree = CityscapesSource(root, "train")
    targets = torch.stack([tree.target(key, CITYSCAPES_19)[..., 0] for key in tree.keys])
    return resize_nearest(targets, (23, 46))


def mean_iou(features, classes, k=40):
    """Clusters of these patches, each named by its majority class."""
    every = F.normalize(features, dim=1).permute(0, 2, 3, 1).flatten(0, 2)
    clusters = (every @ F.normalize(fit_kmeans(every, k, seed=0), dim=1).T).argmax(dim=1)
    known = classes.flatten() >= 0
    pairs = torch.bincount(clusters[known] * 19 + classes.flatten()[known], minlength=k * 19)
    table = pairs.view(k, 19)
    confusion = torch.zeros(19, 19, dtype=torch.int64).index_add_(0, table.argmax(dim=1), table)
    union = confusion.sum(dim=0) + confusion.sum(dim=1) - confusion.diag()
    return float((confusion.diag()[union > 0] / union[union > 0]).mean())
