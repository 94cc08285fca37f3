"""What every thing rule must do; its test inherits this class and makes `rule`."""

import json
from typing import Any

import torch

from relief.ops.thingness import ClusterStatistics, cluster_statistics

CENTROIDS = torch.tensor(
    [[1.0, 0.0, 0.0], [1.0, 0.05, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.05], [0.0, 0.0, 1.0]]
)


def street() -> tuple[torch.Tensor, torch.Tensor]:
    """Ground (clusters 0, 1), and objects of two alike clusters (2, 3) and of another (4)."""
    semantic = torch.zeros(64, 128, dtype=torch.int64)
    depth = torch.ones(64, 128)
    semantic[:, 64:] = 1
    semantic[10:40, 10:30], depth[10:40, 10:30] = 2, 0.2
    semantic[10:40, 30:50], depth[10:40, 30:50] = 3, 0.6
    semantic[10:30, 80:100], depth[10:30, 80:100] = 4, 0.3
    return semantic, depth


class ThingRuleContract:
    """Every cluster is a thing with a group, or stuff with none; images may come in any order."""

    def rule(self) -> Any:
        """Makes the part."""
        raise NotImplementedError

    def check(self, images):
        things, groups, record = self.rule().decide(images, CENTROIDS)
        assert (things.shape, things.dtype) == ((5,), torch.bool)
        assert (groups.shape, groups.dtype) == ((5,), torch.int64)
        assert ((groups >= 0) == things).all()
        numbered = groups[things].unique().tolist()
        assert numbered == list(range(len(numbered)))
        assert json.loads(json.dumps(record)) == record
        assert all(isinstance(note, str) for note in record["notes"])
        return things.tolist(), groups.tolist(), record

    def test_things_have_groups_and_stuff_has_none(self):
        semantic, depth = street()
        images = [cluster_statistics(semantic, depth, 5), ClusterStatistics.nothing(5)]
        images.append(cluster_statistics(semantic.flip(-1), depth.flip(-1), 5))
        decision = self.check(images)
        assert decision == self.check(images) == self.check(images[::-1])

    def test_it_decides_without_depth_and_without_images(self):
        self.check([cluster_statistics(street()[0], None, 5)])
        things, _, _ = self.check([ClusterStatistics.nothing(5)])
        assert not any(things)
