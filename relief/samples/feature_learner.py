"""How the sample's network learns, without labels and without depth.

1. *Distillation.* Every patch gets a target in closed form (`texture_teacher`): energies of a
   frozen bank of filters, whitened by the nuisance of light and neighbourhood, with averages over
   larger neighbourhoods and the row. The network sees the image under another light, possibly
   mirrored, and learns the direction of the target.
2. *Clustering.* Several rounds of DeepCluster (arXiv:1807.05520): the network's own features of the
   undisturbed images are clustered; under another light it learns to name the cluster of each
   patch, as the cosine to its centroid. Noise of single patches averages out.

The head's codebook is the k-means of the body's tokens, taken once early on and then frozen, as in
CAUSE-TR.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from relief.models.backbones.cause_tr import CauseTR
from relief.ops.kmeans import fit_kmeans
from relief.ops.sliding_window import extract_windows
from relief.samples.photometric_jitter import photometric_jitter
from relief.samples.student import PATCH_PX, WINDOW_PATCHES, new_student
from relief.samples.texture_teacher import texture_targets

WINDOW_PX = PATCH_PX * WINDOW_PATCHES


@dataclass(frozen=True)
class LearningPlan:
    """How long and how hard to learn; the defaults made the file in the repository.

    Attributes:
        distill_steps: Steps on the closed-form targets.
        cluster_steps: Steps of each round of clustering.
        rounds: Rounds of clustering.
        clusters: Of the network's features in each round.
        batch_size: Windows of 322 px per step.
        learning_rate: Of AdamW, after a warm-up, before the cosine.
        temperature: Of the cosines to the centroids.
        codebook_step: After how many steps the codebook is taken.
        shifted_views: Copies of every image moved by part of a patch, beside the image itself.
        seed: Of everything drawn.
    """

    distill_steps: int = 2200
    cluster_steps: int = 400
    rounds: int = 2
    clusters: int = 256
    batch_size: int = 4
    learning_rate: float = 1.5e-3
    temperature: float = 0.1
    codebook_step: int = 150
    shifted_views: int = 2
    seed: int = 0

    @property
    def steps(self) -> int:
        """In all."""
        return self.distill_steps + self.rounds * self.cluster_steps


def learn_features(images: Tensor, plan: LearningPlan, say: Callable[[str], None]) -> CauseTR:
    """A network that has learned from these images.

    Args:
        images: (N, 3, 322, W) uint8.
        plan: See there.
        say: Takes a line about the progress now and then.

    Returns:
        The network, in evaluation mode.
    """
    generator = torch.Generator().manual_seed(plan.seed)
    views = shifted_views(images, plan.shifted_views, generator)
    network = new_student(seed=plan.seed)
    with torch.no_grad():
        targets = texture_targets(views, generator, network.dim, fitted_on=len(images))
    say(f"targets of {len(views)} views")
    course = _Course(network, plan, generator, say)
    early = min(plan.distill_steps, plan.codebook_step)
    course.run(early, views, targets, direction_loss)
    fill_codebook(network, images, plan.seed)
    course.run(plan.distill_steps - early, views, targets, direction_loss)
    for round_ in range(plan.rounds):
        features = features_of(network, views)
        every = F.normalize(features[: len(images)], dim=1).permute(0, 2, 3, 1).flatten(0, 2)
        centroids = F.normalize(fit_kmeans(every, plan.clusters, seed=round_), dim=1)
        cosines = torch.einsum("kc,nchw->nkhw", centroids, F.normalize(features, dim=1))
        loss = ClusterLoss(centroids, plan.temperature)
        course.run(plan.cluster_steps, views, cosines.argmax(dim=1, keepdim=True), loss)
    return network.requires_grad_(False).eval()


def shifted_views(images: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """The images, then copies moved by less than a patch, borders mirrored."""
    views = [images]
    for _ in range(count):
        down, right = torch.randint(1, PATCH_PX, (2,), generator=generator).tolist()
        padded = F.pad(images.float(), (PATCH_PX // 2,) * 4, mode="reflect").to(torch.uint8)
        height, width = images.shape[-2:]
        views.append(padded[..., down : down + height, right : right + width])
    return torch.cat(views)


def direction_loss(features: Tensor, target: Tensor) -> Tensor:
    """1 - cosine, mean over patches; both (B, C, h, w)."""
    return (1 - F.cosine_similarity(features, target, dim=1)).mean()


@dataclass(frozen=True)
class ClusterLoss:
    """Cross-entropy of the cluster of each patch; logits are cosines over a temperature."""

    centroids: Tensor
    temperature: float

    def __call__(self, features: Tensor, target: Tensor) -> Tensor:
        """Features (B, C, h, w), target (B, 1, h, w) int64."""
        cosines = torch.einsum("kc,bchw->bkhw", self.centroids, F.normalize(features, dim=1))
        return F.cross_entropy(cosines / self.temperature, target[:, 0])


@torch.no_grad()
def features_of(network: CauseTR, images: Tensor) -> Tensor:
    """(N, C, h, w): one grid per image, as the codebook will see it."""
    size = (images.shape[-2] // PATCH_PX, images.shape[-1] // PATCH_PX)
    return torch.stack([extract_windows(network, image[None] / 255).grid(size) for image in images])


@torch.no_grad()
def fill_codebook(network: CauseTR, images: Tensor, seed: int) -> None:
    """Sets the head's codebook to the k-means of the body's tokens."""
    if network.head is None:
        raise RuntimeError("The network has no head.")
    crops = images[..., :WINDOW_PX].split(4)
    tokens = torch.cat([network.tokens(crop / 255)[:, 1:] for crop in crops]).flatten(0, 1)
    codes = fit_kmeans(tokens, len(network.head.codebook), seed=seed)
    network.head.codebook[: len(codes)] = codes


class _Course:
    """The optimiser and its schedule over all phases."""

    def __init__(
        self,
        network: CauseTR,
        plan: LearningPlan,
        generator: torch.Generator,
        say: Callable[[str], None],
    ) -> None:
        self.network = network.requires_grad_(True)
        self.plan = plan
        self.generator = generator
        self.say = say
        self.step = 0
        self.losses: list[float] = []
        self.optimizer = torch.optim.AdamW(
            network.parameters(), lr=plan.learning_rate, weight_decay=0.02, betas=(0.9, 0.98)
        )

    def run(
        self,
        steps: int,
        views: Tensor,
        targets: Tensor,
        loss_of: Callable[[Tensor, Tensor], Tensor],
    ) -> None:
        """Learns for a while on (N, 3, H, W) views and (N, ?, h, w) targets."""
        for image, target in self.batches(steps, views, targets):
            for group in self.optimizer.param_groups:
                group["lr"] = self.learning_rate()
            with torch.autocast("cpu", torch.bfloat16):
                features = self.network.one_sided(image)
            loss = loss_of(features.float(), target)
            self.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimizer.step()
            self.step += 1
            self.losses.append(loss.item())
            if self.step % 100 == 0:
                mean = sum(self.losses) / len(self.losses)
                self.say(f"step {self.step} of {self.plan.steps}, loss {mean:.3f}")
                self.losses.clear()

    def learning_rate(self) -> float:
        """Linear warm-up over 100 steps, then half a cosine down to a hundredth."""
        warm = min(1.0, (self.step + 1) / 100)
        cosine = 0.5 + 0.5 * math.cos(math.pi * self.step / self.plan.steps)
        return self.plan.learning_rate * warm * max(0.01, cosine)

    def batches(
        self, steps: int, views: Tensor, targets: Tensor
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Windows at whole patches, under another light, mirrored or not, with their targets."""
        places = targets.shape[-1] - WINDOW_PATCHES + 1
        for _ in range(steps):
            batch = (self.plan.batch_size,)
            chosen = torch.randint(len(views), batch, generator=self.generator).tolist()
            lefts = torch.randint(places, batch, generator=self.generator).tolist()
            image = torch.stack(
                [
                    views[i, :, :, left * PATCH_PX : left * PATCH_PX + WINDOW_PX]
                    for i, left in zip(chosen, lefts, strict=True)
                ]
            )
            target = torch.stack(
                [
                    targets[i, :, :, left : left + WINDOW_PATCHES]
                    for i, left in zip(chosen, lefts, strict=True)
                ]
            )
            if torch.rand((), generator=self.generator) < 0.5:
                image, target = image.flip(-1), target.flip(-1)
            yield photometric_jitter(image / 255, self.generator), target
