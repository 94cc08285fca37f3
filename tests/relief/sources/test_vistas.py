import json

import numpy as np
import pytest
from PIL import Image

from relief.schema.errors import ReadError, UsageError
from relief.schema.sources import keys_with_target
from relief.sources.vistas import VistasSource
from tests.contracts.source import SourceContract

LABELS = [
    {"name": "construction--road", "color": [128, 64, 128], "instances": False, "evaluate": True},
    {"name": "void--ego", "color": [0, 0, 0], "instances": False, "evaluate": False},
    {"name": "object--car", "color": [0, 0, 142], "instances": True, "evaluate": True},
]


def write_frame(root, key, ids, objects=None):
    folder = root / "validation"
    for name in ("images", "v2.0/labels", "v2.0/instances"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (root / "config_v2.0.json").write_text(json.dumps({"labels": LABELS}))
    ids = np.array(ids, np.uint8)
    Image.fromarray(np.dstack((ids,) * 3)).save(folder / "images" / f"{key}.jpg")
    picture = Image.fromarray(ids, mode="P")
    picture.putpalette([part for one in LABELS for part in one["color"]])
    picture.save(folder / "v2.0/labels" / f"{key}.png")
    if objects is not None:
        array = ids.astype(np.uint16) * 256 + np.array(objects, np.uint16)
        Image.fromarray(array).save(folder / "v2.0/instances" / f"{key}.png")


class TestVistasSource(SourceContract):
    @pytest.fixture
    def source(self, tmp_path):
        write_frame(tmp_path, "a", [[0, 1], [2, 2]], [[0, 0], [0, 1]])
        return VistasSource(tmp_path)


def test_a_palette_is_ids_and_what_is_not_evaluated_is_void(tmp_path):
    write_frame(tmp_path, "a", [[0, 1], [2, 2]], [[0, 0], [0, 1]])
    write_frame(tmp_path, "b", [[0, 1], [2, 2]])
    source = VistasSource(tmp_path)
    assert source.label_space.names == ("construction--road", "object--car")
    assert source.label_space.things == (1,)
    assert source.target("a").tolist() == [[[0, 0], [-1, 0]], [[1, 1], [1, 2]]]
    assert source.target("b").tolist() == [[[0, 0], [-1, 0]], [[1, 0], [1, 0]]]
    assert keys_with_target(source) == ["a", "b"]


def test_ids_and_lists_that_are_unknown_are_told(tmp_path):
    write_frame(tmp_path, "a", [[0, 7]])
    with pytest.raises(ReadError, match="unknown ids"):
        VistasSource(tmp_path).target("a")
    with pytest.raises(UsageError, match=r"no list of labels: .*config_v1.2.json"):
        VistasSource(tmp_path, config="config_v1.2.json")
    (tmp_path / "config_v2.0.json").write_text("{}")
    with pytest.raises(UsageError, match="no list of labels"):
        VistasSource(tmp_path)
