import importlib

import torch

from relief.schema.parts import Splitter
from relief.splitters.connected import ConnectedSplitter
from relief.splitters.depth_gradient import DepthGradientSplitter
from relief.splitters.knn_linkage import KnnLinkageSplitter
from relief.splitters.standing import StandingObjects
from relief.studies.sweeps.settings import Setting, source_code


def test_one_cut_serves_all_area_filters_of_splitters_that_can():
    first, second = (Setting(DepthGradientSplitter(0.2, area), "drawn") for area in (10, 500))
    assert first.cut == second.cut
    assert (first.min_area_px, second.min_area_px) == (10, 500)
    assert first.cut != Setting(DepthGradientSplitter(0.2, 10), "other").cut
    assert first.cut != Setting(DepthGradientSplitter(0.3, 10), "drawn").cut


def test_any_other_splitter_filters_for_itself():
    first, second = (Setting(KnnLinkageSplitter(8, 0.1, area), "drawn") for area in (10, 500))
    assert first.cut != second.cut
    assert first.min_area_px == second.min_area_px == 1
    assert (first.name, first.arguments["min_area_px"]) == ("knn_linkage", 10)


class Held(Splitter):
    def __init__(self, weights):
        self._weights = weights

    def split(self, observation):
        raise NotImplementedError


def test_whatever_a_splitter_holds_tells_it_from_others():
    names = [Setting(Held(value)).cut.arguments for value in ([1, None], {"a": 2.0})]
    assert names == ['{"weights": [1, null]}', '{"weights": {"a": 2.0}}']
    zeros, ones = (Setting(Held(fill(2000))) for fill in (torch.zeros, torch.ones))
    assert zeros.cut != ones.cut
    assert zeros.cut == Setting(Held(torch.zeros(2000))).cut
    assert zeros.name == f"{__name__}.Held"
    assert Setting(Held(frozenset({"b", "a"}))).cut.arguments == '{"weights": ["a", "b"]}'


def test_a_splitter_within_another_is_told_with_all_that_it_holds():
    settings = [Setting(StandingObjects(ConnectedSplitter(area)), "drawn") for area in (10, 500)]
    assert settings[0].cut != settings[1].cut
    assert settings[0].arguments["splitter"] == {
        "class_path": "relief.splitters.connected.ConnectedSplitter",
        "min_area_px": 10,
    }
    assert settings[0].arguments["needs"] == ["depth"]


def test_tables_know_the_code_that_made_them(tmp_path, monkeypatch):
    path = tmp_path / "edited_splitter.py"
    text = "from relief.splitters.connected import ConnectedSplitter as A\n\n\nclass B(A): ...\n"
    path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("edited_splitter")
    before = source_code(module.B)
    assert before == source_code(module.B) != source_code(ConnectedSplitter)
    path.write_text(text + "# another way\n")
    assert source_code(module.B) != before
