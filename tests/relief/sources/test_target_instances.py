import pytest

from relief.sources.cityscapes import CityscapesSource
from relief.sources.coco_instances import CocoInstancesSource
from relief.sources.target_instances import TargetInstances, objects_of
from tests.contracts.instances import InstanceReaderContract
from tests.relief.sources.test_coco_instances import draw
from tests.relief.studies.tiny import KEYS, draw_tree


class TestTargetInstances(InstanceReaderContract):
    @pytest.fixture
    def reader(self, tmp_path):
        return TargetInstances(CityscapesSource(draw_tree(tmp_path)))


def test_objects_of_a_tree_are_its_things_and_groups_are_crowds(tmp_path):
    reader = objects_of(CityscapesSource(draw_tree(tmp_path)))
    assert isinstance(reader, TargetInstances)
    assert list(reader.keys) == sorted(KEYS)
    objects = reader.instances(KEYS[0])
    assert objects.category[~objects.crowd].tolist() == [11, 13, 13, 13, 13]
    assert objects.category[objects.crowd].tolist() == [13]
    assert (objects.area_px > 0).all()


def test_a_source_that_knows_its_objects_is_asked_itself(tmp_path):
    source = CocoInstancesSource(draw(tmp_path))
    assert objects_of(source) is source
