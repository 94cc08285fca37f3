import torch
import torch.nn.functional as F

from relief.models.codebook_fitters.lloyd import LloydKMeans
from relief.models.codebooks.finer_things import refine_things

CENTROIDS = 2 * torch.eye(4)[:3]  # things, stuff, things; the fourth axis parts the last
GROUPS = torch.tensor([1, -1, 0])


def features(*rows, times=20):
    noise = 0.01 * torch.rand(len(rows) * times, 4, generator=torch.Generator().manual_seed(0))
    return F.normalize(torch.tensor(rows, dtype=torch.float32).repeat(times, 1) + noise, dim=1)


def test_things_get_more_clusters_each_in_the_group_of_what_it_is_most_like_and_stuff_none():
    seen = features([1, 0, 0, 0], [0, 1, 0, 0.5], [0, 1, 0, -0.5], [0, 0, 1, 0.5], [0, 0, 1, -0.5])
    centroids, groups = refine_things(CENTROIDS, GROUPS, seen, LloydKMeans(3))
    assert torch.equal(centroids[0], CENTROIDS[1])
    assert groups[0] == -1
    expected = {(1, 0, 0): 1, (0, 1, 1): 0, (0, 1, -1): 0}
    found = {
        (round(row[0]), round(row[2]), round(2 * row[3])): group
        for row, group in zip(centroids[1:].tolist(), groups[1:].tolist(), strict=True)
    }
    assert found == expected


def test_groups_that_lose_all_clusters_leave_no_gap():
    seen = features([1, 0, 0, 0], [1, 0, 0, 0.2])
    centroids, groups = refine_things(CENTROIDS, GROUPS, seen, LloydKMeans(2))
    assert groups.tolist() == [-1, 0, 0]
    assert len(centroids) == 3


def test_without_features_of_things_nothing_changes():
    seen = features([0, 1, 0, 0])
    centroids, groups = refine_things(CENTROIDS, GROUPS, seen, LloydKMeans(2))
    assert torch.equal(centroids, CENTROIDS)
    assert torch.equal(groups, GROUPS)
