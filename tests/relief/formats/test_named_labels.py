from __future__ import annotations

import torch

from relief.formats.named_labels import NamedLabels
from relief.schema.names import ClusterNames

PANOPTIC = torch.tensor([[[0, 0], [1, 1], [2, 2], [3, 3], [-1, 0], [2, 0]]])


class Labels:
    keys = ("a",)
    num_categories = 4
    thing_ids = (1, 2, 3)

    def semantic(self, key: str) -> torch.Tensor:
        return PANOPTIC[..., 0]

    def panoptic(self, key: str) -> torch.Tensor:
        return PANOPTIC


def test_names_merge_clusters_and_decide_things() -> None:
    names = ClusterNames.from_content({"car": [1, 2], "wall": {"clusters": 3, "thing": False}})
    labels = NamedLabels(Labels(), names)
    assert [entry["name"] for entry in labels.categories] == ["cluster 0", "car", "wall"]
    assert (labels.keys, labels.num_categories, labels.thing_ids) == (("a",), 3, (1,))
    assert labels.semantic("a").tolist() == [[0, 1, 1, 2, -1, 1]]
    assert labels.panoptic("a").tolist() == [[[0, 0], [1, 1], [1, 2], [2, 0], [-1, 0], [1, 0]]]


def test_stuff_made_a_thing_has_no_instances() -> None:
    labels = NamedLabels(Labels(), ClusterNames.from_content({"x": {"clusters": 0, "thing": True}}))
    assert labels.thing_ids == (0, 1, 2, 3)
    assert labels.panoptic("a")[0, 0].tolist() == [0, 0]
