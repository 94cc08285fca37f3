"""More clusters for things alone: objects are cut by depth, so that they may be named finely."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from relief.schema.label_spaces import VOID
from relief.schema.parts import KMeansFitter


def refine_things(
    centroids: Tensor, groups: Tensor, features: Tensor, kmeans: KMeansFitter
) -> tuple[Tensor, Tensor]:
    """Clusters the features of all things again; stuff stays as it is.

    Args:
        centroids: (k, C) float32.
        groups: (k,) int64, 0..G-1 for things, -1 for stuff.
        features: (N, C) float32, L2-normalised, of things and stuff.
        kmeans: Clusters those that are most like a thing.

    Returns:
        Centroids (k', C): those of stuff in their order, then the new ones; and groups (k',), new
        clusters in that of the old thing they are most like. Without features of things both are
        the same as before.
    """
    is_thing = groups >= 0
    unit = F.normalize(centroids, dim=1)
    nearest = torch.cat([(part @ unit.T).argmax(dim=1) for part in features.split(65536)])
    of_things = features[is_thing[nearest]]
    if not len(of_things):
        return centroids, groups
    finer = kmeans.fit(of_things)
    most_like = (F.normalize(finer, dim=1) @ unit[is_thing].T).argmax(dim=1)
    _, group_of_finer = groups[is_thing][most_like].unique(return_inverse=True)
    stuff = centroids[~is_thing]
    no_group = torch.full((len(stuff),), VOID, dtype=torch.int64, device=groups.device)
    return torch.cat((stuff, finer)), torch.cat((no_group, group_of_finer))
