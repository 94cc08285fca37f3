import json

import torch

from relief.models.codebooks.thing_rule import FreeStandingRule, PublishedThingRule, ThingRule
from relief.ops.thingness import cluster_statistics
from tests.contracts.thing_rule import CENTROIDS, ThingRuleContract, street


class TestThingRule(ThingRuleContract):
    def rule(self):
        return ThingRule()


class TestThingRuleOfOneRegion(ThingRuleContract):
    def rule(self):
        return ThingRule(grouping="one")


class TestFreeStandingRule(ThingRuleContract):
    def rule(self):
        return FreeStandingRule()


class TestPublishedThingRule(ThingRuleContract):
    def rule(self):
        return PublishedThingRule(num_things=2, region_fraction=0.2)


def test_decide__what_stands_in_front_in_groups():
    semantic, depth = street()
    statistics = [cluster_statistics(semantic, depth, 5)]
    things, groups, record = ThingRule().decide(statistics, CENTROIDS)
    assert things.dtype == torch.bool
    assert groups.dtype == torch.int64
    assert things.tolist() == [False, False, True, True, True]
    assert groups.tolist() == [-1, -1, 0, 0, 1]
    assert json.loads(json.dumps(record)) == record
    assert record["statistic"] == "front_share"
    assert record["values"][0] == record["values"][1] < record["cut"] < min(record["values"][2:])
    assert max(record["thing_shares"][:2]) < 0.5 < min(record["thing_shares"][2:])
    assert record["num_groups"] == 3
    assert set(record["changed_by"]) == {"0.15", "0.6"}


def test_free_standing__what_has_things_before_it_is_none():
    semantic, depth = street()
    semantic[:, :64], depth[:, :64] = 0, 1.0
    semantic[20:60, 10:50], depth[20:60, 10:50] = 3, 0.6  # a house, ...
    for left in (11, 21, 31, 41):  # ... and people before it
        semantic[32:52, left : left + 6], depth[32:52, left : left + 6] = 2, 0.2
    statistics = [cluster_statistics(semantic, depth, 5)]
    house_too, _, _ = ThingRule(merge_fraction=0).decide(statistics, torch.eye(5))
    assert house_too.tolist() == [False, False, True, True, True]
    things, _, record = FreeStandingRule(merge_fraction=0).decide(statistics, torch.eye(5))
    assert record["statistic"] == "free_standing"
    assert record["notes"][0].endswith("train and val images")
    assert things.tolist() == [False, False, True, False, True]


def test_decide__without_depth_by_components_per_image():
    semantic = torch.zeros(20, 40, dtype=torch.int64)
    semantic[::4, ::4] = 2
    semantic[10:, 20:] = 1
    statistics = [cluster_statistics(semantic, None, 3)]
    things, groups, record = ThingRule(merge_fraction=0).decide(statistics, torch.eye(3))
    assert record["statistic"] == "components_per_image"
    assert things.tolist() == [False, False, True]
    assert groups.tolist() == [-1, -1, 0]


def test_published__first_by_split_ratio_and_says_what_it_knows():
    semantic, depth = street()
    semantic[semantic == 3] = 2  # two depths in one region: falls apart into two
    statistics = [cluster_statistics(semantic, depth, 5)]
    one = PublishedThingRule(num_things=1, region_fraction=0.2)
    things, groups, record = one.decide(statistics, CENTROIDS)
    assert things.tolist() == [False, False, True, False, False]
    assert groups.tolist() == [-1, -1, 0, -1, -1]
    assert record["notes"] == [
        f"thing rule: the number of things, {record['num_things']}, was given"
    ]
    assert json.loads(json.dumps(record)) == record


def test_published__large_or_unseen_clusters_are_stuff_whatever_the_number():
    semantic, depth = street()
    semantic[semantic == 3] = 2
    statistics = [cluster_statistics(semantic, depth, 5)]
    things, _, _ = PublishedThingRule(num_things=5).decide(statistics, CENTROIDS)
    assert not things.any()  # all regions here are above 2 % of the image
    lax = PublishedThingRule(num_things=5, region_fraction=0.2, merge_fraction=0.5)
    things, groups, _ = lax.decide(statistics, CENTROIDS)
    assert things.tolist() == [False, False, True, False, True]
    assert groups.tolist() == [-1, -1, 0, -1, 1]


def test_grouping__one_region_of_all_things_or_every_cluster_by_itself():
    statistics = [cluster_statistics(*street(), 5)]
    _, groups, record = ThingRule(grouping="one").decide(statistics, CENTROIDS)
    assert groups.tolist() == [-1, -1, 0, 0, 0]
    assert record["grouping"] == "one"
    assert ThingRule(grouping="none").decide(statistics, CENTROIDS)[1].tolist() == [-1, -1, 0, 1, 2]
    rule = PublishedThingRule(num_things=2, region_fraction=1.0, grouping="one")
    assert sorted(rule.decide(statistics, CENTROIDS)[1].tolist()) == [-1, -1, -1, 0, 0]
    assert "grouping" not in ThingRule().decide(statistics, CENTROIDS)[2]
