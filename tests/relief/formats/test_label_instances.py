import pytest
import torch

from relief.formats.label_instances import LabelInstances
from relief.formats.label_store import LabelStore
from tests.contracts.instances import InstanceReaderContract
from tests.relief.studies.tiny import KEYS, THING_CLUSTERS, draw_store


class TestLabelInstances(InstanceReaderContract):
    @pytest.fixture
    def reader(self, tmp_path):
        return LabelInstances(LabelStore(draw_store(tmp_path)))


class Silent:
    """Labels of a format that does not say what things are."""

    keys, num_categories, thing_ids = ["a"], 3, None

    def panoptic(self, key):
        del key
        return torch.tensor([[[0, 0], [1, 1], [2, 2], [-1, 0]]])


def test_instances_of_a_store_are_its_things(tmp_path):
    store = LabelStore(draw_store(tmp_path))
    reader = LabelInstances(store)
    assert list(reader.keys) == list(store.keys)
    instances = reader.instances(KEYS[0])
    panoptic = store.panoptic(KEYS[0])
    assert len(instances) == len(panoptic[panoptic[..., 1] > 0].unique(dim=0)) == 5
    assert set(instances.category.tolist()) <= set(THING_CLUSTERS)
    assert instances.scores.tolist() == [1] * 5
    sure = LabelInstances(store, lambda key: torch.full(panoptic.shape[:2], 0.25))
    assert sure.instances(KEYS[0]).scores.tolist() == [0.25] * 5


def test_where_a_format_is_silent_everything_with_an_instance_is_a_thing():
    assert LabelInstances(Silent()).instances("a").category.tolist() == [1, 2]
