import pytest
import torch

from relief.formats.label_store import LabelStore
from relief.schema.errors import UsageError
from relief.schema.label_spaces import CITYSCAPES_19
from relief.schema.manifest import NAMES_BY_HAND
from relief.studies.category_naming import by_hand
from tests.relief.studies.tiny import KEYS, draw_store


@pytest.fixture
def store(tmp_path):
    return LabelStore(draw_store(tmp_path / "s"))


def named(tmp_path, text):
    path = tmp_path / "names.yaml"
    path.write_text(text)
    return str(path)


def test_clusters_of_one_name_are_one_category(store, tmp_path):
    file = named(tmp_path, "building: [1, 2]\ncar: {clusters: [4, 5], thing: true}\n")
    result = by_hand(store, file, None)
    names = [(category["name"], category["isthing"]) for category in result.categories]
    assert names == [
        *(("building", 0), ("car", 1), ("cluster 0", 0), ("cluster 3", 0), ("cluster 6", 1))
    ]
    assert (result.supervision, result.space) == ((NAMES_BY_HAND,), None)
    before, after = store.panoptic(KEYS[0]), result.labels.panoptic(KEYS[0])
    assert torch.equal(after[..., 0] == 0, torch.isin(before[..., 0], torch.tensor((1, 2))))
    assert torch.equal(after[..., 1], before[..., 1])


def test_names_of_classes_make_labels_of_classes(store, tmp_path):
    result = by_hand(store, named(tmp_path, "car: [4, 5]\nroad: 0\n"), CITYSCAPES_19)
    assert result.space is CITYSCAPES_19
    present = result.labels.panoptic(KEYS[0])[..., 0].unique().tolist()
    assert present == [-1, 0, 13]


@pytest.mark.parametrize(
    ("text", "told"),
    [("boat: 1", "no class of cityscapes19: boat"), ("car: 7", "cluster 7, there are 7")],
)
def test_names_that_fit_nothing_are_refused(store, tmp_path, text, told):
    with pytest.raises(UsageError, match=told):
        by_hand(store, named(tmp_path, text), CITYSCAPES_19)
