from __future__ import annotations

import pytest

from relief.schema.errors import UsageError
from relief.sources.gta5 import Gta5Source
from relief.sources.image_folder import ImageFolderSource
from relief.sources.images_holding import ImagesHolding
from relief.sources.mixed import MixedSource
from relief.sources.synthia import SynthiaSource
from tests.contracts.source import SourceContract
from tests.relief.sources.test_gta5 import write_frame
from tests.relief.sources.test_synthia import write_tree


@pytest.fixture
def sources(tmp_path):
    write_tree(tmp_path / "synthia")
    for key, ids in (("00001", [[27, 7]]), ("00002", [[31, 27]]), ("00003", [[31, 26]])):
        write_frame(tmp_path / "gta5", key, ids)
    gta5 = Gta5Source(tmp_path / "gta5")
    both = ImagesHolding(gta5, ["truck", "train"], tmp_path / "keys.json")
    return {"synthia": SynthiaSource(tmp_path / "synthia"), "gta5": both}


class TestMixedSource(SourceContract):
    @pytest.fixture
    def source(self, sources):
        return MixedSource(sources)


class TestImagesHolding(SourceContract):
    @pytest.fixture
    def source(self, sources):
        return sources["gta5"]


def test_the_mix_takes_frames_that_hold_both_classes(sources):
    mix = MixedSource(sources)
    assert mix.keys == ["gta5/00002", "synthia/0000000"]
    assert mix.target("gta5/00002")[..., 0].tolist() == [[16, 14]]
    assert mix.label_space.absent == ()  # the frames bring what Synthia lacks


def test_labels_are_looked_through_once(sources, tmp_path, monkeypatch):
    assert sources["gta5"].keys == ["00002"]
    source = Gta5Source(tmp_path / "gta5")
    monkeypatch.setattr(source, "read", pytest.fail)
    assert ImagesHolding(source, ["train", "truck"], tmp_path / "keys.json").keys == ["00002"]


def test_other_classes_or_images_are_looked_through_anew(sources, tmp_path):
    assert sources["gta5"].keys == ["00002"]
    gta5 = sources["gta5"].source
    assert ImagesHolding(gta5, ["car"], tmp_path / "keys.json").keys == ["00003"]
    write_frame(tmp_path / "gta5", "00004", [[26]])
    again = ImagesHolding(Gta5Source(tmp_path / "gta5"), ["car"], tmp_path / "keys.json")
    assert again.keys == ["00003", "00004"]
    with pytest.raises(UsageError, match=r"^none of 4 images holds bus"):
        _ = ImagesHolding(again.source, ["bus"], tmp_path / "keys.json").keys


def test_a_mix_of_other_classes_and_unknown_classes_are_refused(sources, tmp_path):
    with pytest.raises(UsageError, match="a mix is of data sets of the same classes"):
        MixedSource({**sources, "photographs": ImageFolderSource(tmp_path)})
    with pytest.raises(UsageError, match=r"^no such class: lorry\. Name some of road, "):
        ImagesHolding(sources["synthia"], ["lorry"], tmp_path / "keys.json")
