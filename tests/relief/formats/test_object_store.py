import pytest
import torch

from relief.formats.label_store import LabelStore
from relief.formats.object_store import ObjectStore
from relief.schema.errors import UsageError
from tests.contracts.reader import ReaderContract
from tests.relief.formats.exports.drawn import draw_labels


class TestObjectStore(ReaderContract):
    ids = 1  # all objects are of one category

    @pytest.fixture
    def labels(self, tmp_path):
        draw_labels(tmp_path)
        return ObjectStore(tmp_path / "store")


def test_objects_stay_apart_and_lose_their_category(tmp_path):
    draw_labels(tmp_path)
    labels, store = ObjectStore(tmp_path / "store"), LabelStore(tmp_path / "store")
    for key in store.keys:
        category, instance = store.panoptic(key).unbind(-1)
        assert torch.equal(labels.panoptic(key)[..., 1], instance)
        assert torch.equal(labels.semantic(key), torch.where(instance > 0, 0, -1))
        assert (category[instance > 0] > 0).all()  # it had others
        assert torch.equal(labels.confidence(key), store.confidence(key))
    assert (labels.num_categories, labels.thing_ids) == (1, (0,))


def test_a_folder_without_labels_is_one_line(tmp_path):
    with pytest.raises(UsageError, match="no label store"):
        ObjectStore(tmp_path).keys  # noqa: B018
