import torch

from relief.schema.label_spaces import CITYSCAPES_19
from relief.studies.scoring.assigned_labels import AssignedLabels

CAR, ROAD = CITYSCAPES_19.names.index("car"), CITYSCAPES_19.names.index("road")
PAIRS = [(0, 0), (1, 0), (1, 3), (2, 5), (2, 0), (3, 0), (-1, 0)]


class Labels:
    keys, num_categories, thing_ids = ["a"], 4, (1, 2)

    def panoptic(self, key):
        return torch.tensor([PAIRS])

    def semantic(self, key):
        return torch.tensor([PAIRS])[..., 0]


def test_clusters_become_classes_as_in_the_metrics():
    # Cluster 0 is stuff but covers cars, 1 is a thing and car, 2 a thing but road, 3 nothing.
    labels = AssignedLabels(Labels(), [CAR, CAR, ROAD, -1], CITYSCAPES_19)
    assert labels.panoptic("a").tolist() == [
        [[CAR, 4], [CAR, 0], [CAR, 3], [ROAD, 0], [ROAD, 0], [-1, 0], [-1, 0]]
    ]
    assert labels.semantic("a").tolist() == [[CAR, CAR, CAR, ROAD, ROAD, -1, -1]]
    assert (labels.num_categories, labels.thing_ids) == (19, CITYSCAPES_19.things)
    assert labels.keys == ["a"]
