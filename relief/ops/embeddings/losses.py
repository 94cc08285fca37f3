"""Losses that pull the embeddings of an object together and push those of objects apart.

De Brabandere et al., "Semantic Instance Segmentation with a Discriminative Loss Function", 2017;
Wolny et al., "Sparse Object-Level Supervision for Instance Segmentation with Pixel Embeddings",
2022.
Label 0 is unlabelled, objects are 1..C. Where there is nothing to sum a loss is 0 with a gradient
of 0.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.linalg import vector_norm

_LEAST_SQUARES = 1e-6


def object_means(embedding: Tensor, labels: Tensor) -> Tensor:
    """Mean embedding of each label.

    Args:
        embedding: (E, H, W) float.
        labels: (H, W) int64, 0 = unlabelled, 1..C.

    Returns:
        (C + 1, E); a row of zeros for a label without a pixel. Gradients flow through.
    """
    count = int(labels.max()) + 1 if labels.numel() else 1
    members = torch.nn.functional.one_hot(labels.reshape(-1), count).to(embedding)
    pixels = members.sum(dim=0).clamp(min=1)
    return (embedding.flatten(1) @ members).T / pixels[:, None]


def pull_loss(
    embedding: Tensor, labels: Tensor, delta_v: float = 0.5, labelled_only: bool = True
) -> Tensor:
    """Mean over objects of the mean over pixels of [||e - mean|| - delta_v]+^2.

    Args:
        embedding: (E, H, W) float.
        labels: (H, W) int64.
        delta_v: Pixels nearer to the mean of their object are not pulled.
        labelled_only: Whether label 0 is left out; else it is an object like any other.
    """
    means = object_means(embedding, labels)
    ids, flat = labels.reshape(-1), embedding.flatten(1)
    excess = (vector_norm(flat - means.T[:, ids], dim=0) - delta_v).clamp(min=0) ** 2
    pixels = torch.bincount(ids, minlength=len(means)).to(excess)
    per_object = excess.new_zeros(len(means)).index_add(0, ids, excess) / pixels.clamp(min=1)
    taken = pixels > 0
    if labelled_only:
        taken[0] = False
    return per_object[taken].mean() if bool(taken.any()) else embedding.sum() * 0


def push_loss(means: Tensor, delta_d: float, labelled_only: bool = True) -> Tensor:
    """Mean over ordered pairs of objects of [2 delta_d - distance of their means]+^2.

    Args:
        means: (C + 1, E), see `object_means`; rows of zeros are no objects.
        delta_d: Means farther apart than twice this are not pushed.
        labelled_only: Whether row 0 is left out.
    """
    objects = means[1:] if labelled_only else means
    objects = objects[objects.detach().abs().sum(dim=1) > 0]
    first, second = torch.triu_indices(len(objects), len(objects), 1, device=means.device)
    if not len(first):
        return means.sum() * 0
    distance = vector_norm(objects[first] - objects[second], dim=1)
    return ((2 * delta_d - distance).clamp(min=0) ** 2).mean()


def unlabelled_push_loss(
    embedding: Tensor, labels: Tensor, means: Tensor, delta_d: float
) -> Tensor:
    """Mean over objects and unlabelled pixels of [delta_d - ||e - mean||]+^2.

    Args:
        embedding: (E, H, W) float.
        labels: (H, W) int64.
        means: (C + 1, E), see `object_means`.
        delta_d: Unlabelled pixels farther from every object are not pushed.
    """
    unlabelled = embedding.flatten(1)[:, labels.reshape(-1) == 0]
    if not unlabelled.shape[1] or len(means) < 2:
        return embedding.sum() * 0 + means.sum() * 0
    distance = vector_norm(unlabelled[None] - means[1:, :, None], dim=1)
    return ((delta_d - distance).clamp(min=0) ** 2).mean()


def mean_norm(means: Tensor) -> Tensor:
    """Mean length of the means (C + 1, E), label 0 included; the published weight is 0.001."""
    return vector_norm(means, dim=1).mean()


def kernel_width(delta_v: float, threshold: float = 0.5) -> float:
    """Width at which `soft_mask` has a value at a distance: delta_v^2 / -ln(threshold)."""
    return delta_v**2 / -math.log(threshold)


def soft_mask(distance: Tensor, width: float) -> Tensor:
    """exp(-distance^2 / width): how much a pixel belongs to what it lies so far from."""
    return torch.exp(-(distance**2) / width)


def object_mask_loss(
    embedding: Tensor,
    labels: Tensor,
    means: Tensor,
    delta_v: float = 0.5,
    pooled: bool = False,
) -> Tensor:
    """Dice of soft masks around the means against the objects.

    Args:
        embedding: (E, H, W) float.
        labels: (H, W) int64.
        means: (C + 1, E), see `object_means`.
        delta_v: Where a soft mask is 0.5.
        pooled: One Dice over all objects, in which large ones rule, as published; else one for
            each object and their mean.
    """
    if len(means) < 2:
        return embedding.sum() * 0 + means.sum() * 0
    distance = vector_norm(embedding[None] - means[1:, :, None, None], dim=1)
    masks = soft_mask(distance, kernel_width(delta_v)).flatten(1)
    number = torch.arange(1, len(means), device=labels.device)
    objects = (labels.reshape(1, -1) == number[:, None]).to(masks)
    if pooled:
        return _dice(masks.reshape(1, -1), objects.reshape(1, -1)).mean()
    return _dice(masks, objects).mean()


def consistency_loss(
    embedding: Tensor, teacher: Tensor, anchors: Tensor, delta_v: float = 0.5
) -> Tensor:
    """Mean over anchors of the Dice of the soft masks around them in student and teacher.

    Args:
        embedding: (E, H, W) float, of the student.
        teacher: (E, H, W) float; no gradient reaches it.
        anchors: (K, 2) int64 row, column.
        delta_v: Where a soft mask is 0.5.
    """
    if not len(anchors):
        return embedding.sum() * 0
    width = kernel_width(delta_v)
    seen = soft_mask(_distance_to(embedding, anchors), width).flatten(1)
    taught = soft_mask(_distance_to(teacher.detach(), anchors), width).flatten(1)
    return _dice(seen, taught).mean()


def uncovered_px(
    embedding: Tensor, teacher: Tensor, labels: Tensor, anchors: Tensor, delta_v: float = 0.5
) -> Tensor:
    """Counts the unlabelled pixels that no anchor covers yet.

    An anchor covers what lies within `delta_v` of it in student or teacher.

    Args:
        embedding: (E, H, W) float.
        teacher: (E, H, W) float.
        labels: (H, W) int64, 0 = unlabelled.
        anchors: (K, 2) int64 row, column, in order.
        delta_v: See above.

    Returns:
        (K,) int64: pixels left after the anchors 0..k.
    """
    if not len(anchors):
        return labels.new_zeros(0)
    near = _distance_to(embedding.detach(), anchors) < delta_v
    near |= _distance_to(teacher.detach(), anchors) < delta_v
    covered = near.flatten(1).cumsum(dim=0) > 0
    return ((labels.reshape(1, -1) == 0) & ~covered).sum(dim=1)


def draw_anchors(
    embedding: Tensor,
    teacher: Tensor,
    unlabelled: Tensor,
    delta_v: float = 0.5,
    most: int = 20,
    least_share: float = 0.05,
) -> Tensor:
    """Draws unlabelled pixels one after the other, each where none before covers it yet.

    Args:
        embedding: (E, H, W) float.
        teacher: (E, H, W) float.
        unlabelled: (H, W) bool, where anchors may lie.
        delta_v: See `uncovered_px`.
        most: At most so many.
        least_share: No more where less than this share of all H * W pixels is left.

    Returns:
        (K, 2) int64 row, column. Random numbers come from torch's global generator.
    """
    left, anchors = unlabelled, unlabelled.new_zeros((0, 2), dtype=torch.int64)
    while len(anchors) < most:
        pixels = left.nonzero()
        if len(pixels) < max(1, least_share * left.numel()):
            break
        anchor = pixels[int(torch.randint(len(pixels), ()))][None]
        near = _distance_to(embedding.detach(), anchor)[0] < delta_v
        near |= _distance_to(teacher.detach(), anchor)[0] < delta_v
        left, anchors = left & ~near, torch.cat((anchors, anchor))
    return anchors


def _distance_to(embedding: Tensor, anchors: Tensor) -> Tensor:
    """(K, H, W) distance of every pixel to each anchor's embedding."""
    centre = embedding[:, anchors[:, 0], anchors[:, 1]].T
    return vector_norm(embedding[None] - centre[:, :, None, None], dim=1)


def _dice(first: Tensor, second: Tensor) -> Tensor:
    """(K,) 1 - 2 sum pq / (sum p^2 + sum q^2) of two (K, N)."""
    squares = (first**2).sum(dim=1) + (second**2).sum(dim=1)
    return 1 - 2 * (first * second).sum(dim=1) / squares.clamp(min=_LEAST_SQUARES)
