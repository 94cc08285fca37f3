import json

import pytest
import torch

from relief.formats.label_png import write_png
from relief.schema.errors import ReadError, UsageError
from relief.schema.instances import InstanceReader
from relief.sources.coco_instances import CocoInstancesSource
from tests.contracts.instances import InstanceReaderContract
from tests.contracts.source import SourceContract

LARGE, SMALL, CROWD = [0, 0, 8, 0, 8, 4, 0, 4], [1, 1, 3, 1, 3, 3, 1, 3], [4, 0, 8, 0, 8, 6, 4, 6]


def draw(folder, *objects, files=("a/x.jpg", "y.png")):
    """A file of two images; objects (category, polygon, crowd) are of the first."""
    annotations = [
        {"id": i, "image_id": 1, "category_id": c, "segmentation": [polygon], "iscrowd": crowd}
        for i, (c, polygon, crowd) in enumerate(objects)
    ]
    sides = {"height": 6, "width": 8}
    content = {
        "images": [{"id": i, "file_name": name, **sides} for i, name in enumerate(files, 1)],
        "annotations": annotations,
        "categories": [{"id": 20, "name": "cat"}, {"id": 3, "name": "dog"}],
    }
    path = folder / "objects.json"
    path.write_text(json.dumps(content))
    for name in files:
        write_png(folder / "images" / name, torch.zeros(6, 8, 3, dtype=torch.uint8).numpy())
    return path


@pytest.fixture
def drawn(tmp_path):
    return draw(tmp_path, (20, SMALL, 0), (3, LARGE, 0), (20, CROWD, 1))


class TestCocoInstancesSource(SourceContract):
    @pytest.fixture
    def source(self, drawn):
        return CocoInstancesSource(drawn, drawn.parent / "images", "val")


class TestCollapsed(SourceContract):
    @pytest.fixture
    def source(self, drawn):
        return CocoInstancesSource(drawn, drawn.parent / "images", collapse=True)


class TestObjects(InstanceReaderContract):
    @pytest.fixture
    def reader(self, drawn):
        return CocoInstancesSource(drawn)


def test_classes_are_kept_or_collapsed(drawn):
    source = CocoInstancesSource(drawn)
    assert source.label_space.names == ("dog", "cat")
    assert source.label_space.things == (0, 1)
    assert source.instances("a/x").category.tolist() == [1, 0, 1]
    collapsed = CocoInstancesSource(drawn, collapse=True)
    assert collapsed.label_space.names == ("object",)
    assert collapsed.instances("a/x").category.tolist() == [0, 0, 0]
    assert isinstance(source, InstanceReader)


def test_smaller_objects_are_seen_and_crowds_lie_below(drawn):
    target = CocoInstancesSource(drawn).target("a/x")
    assert target[2, 2].tolist() == [1, 1]  # the small cat on the dog
    assert target[0, 0].tolist() == [0, 2]
    assert target[1, 6].tolist() == [0, 2]  # the dog on the crowd of cats
    assert target[5, 6].tolist() == [1, 0]
    assert target[5, 0].tolist() == [-1, 0]
    assert (CocoInstancesSource(drawn).target("y")[..., 0] == -1).all()


def test_names_of_classes_tell_files_apart(drawn, tmp_path):
    name = CocoInstancesSource(drawn).label_space.name
    text = drawn.read_text().replace("dog", "cow")
    (tmp_path / "other.json").write_text(text)
    assert CocoInstancesSource(tmp_path / "other.json").label_space.name != name


def test_constructors_read_nothing_and_what_is_missing_is_one_line(tmp_path):
    source = CocoInstancesSource(tmp_path / "none.json", tmp_path)
    with pytest.raises(UsageError, match=r"^cannot read COCO instances: .*none\.json"):
        _ = source.keys
    path = draw(tmp_path)
    with pytest.raises(UsageError, match=r"^no such folder: images=.*gone\. Check images\.$"):
        _ = CocoInstancesSource(path, tmp_path / "gone").keys
    with pytest.raises(UsageError, match=r"^no folder of photographs"):
        CocoInstancesSource(path).image_path("y")
    with pytest.raises(UsageError, match=r"^no images listed"):
        _ = CocoInstancesSource(draw(tmp_path, files=())).keys


def test_boxes_are_no_maps(tmp_path):
    content = json.loads(draw(tmp_path).read_text())
    box = {"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 1, 2, 2]}
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(content | {"annotations": [box]}))
    source = CocoInstancesSource(path)
    assert not source.has_masks
    assert source.instances("a/x").boxes.tolist() == [[1, 1, 2, 2]]
    with pytest.raises(ReadError, match="boxes only"):
        source.target("a/x")
