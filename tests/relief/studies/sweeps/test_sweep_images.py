import numpy as np
import pytest
import torch

from relief.formats.depth_files import FolderDepth
from relief.formats.label_store import LabelStore
from relief.ops.panoptic import segment_table
from relief.sources.cityscapes import CityscapesSource
from relief.splitters.connected import ConnectedSplitter
from relief.splitters.depth_gradient import DepthGradientSplitter
from relief.studies.sweeps.settings import Setting
from relief.studies.sweeps.split_tables import panoptic_rows
from relief.studies.sweeps.sweep_image import SharedReading
from relief.studies.sweeps.sweep_images import image_tables
from relief.studies.sweeps.table_cache import SweepWork
from tests.relief.studies.tiny import KEYS, SIZE, draw_store, draw_tree

SETTINGS = Setting(ConnectedSplitter(5)), Setting(DepthGradientSplitter(0.1, 5), "drawn")
CUTS = tuple(setting.cut for setting in SETTINGS)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = draw_tree(tmp_path_factory.mktemp("images"))
    draw_store(root / "labels")
    return root


def work(root, cache, sides=(0, 512), mark="a"):
    store = LabelStore(root / "labels")
    shared = SharedReading(
        CityscapesSource(root, "val"), {"drawn": FolderDepth(root / "depth")},
        SIZE[0], sides,
    )  # fmt: skip
    region = store.manifest.group_of_id.numpy() + 1
    return SweepWork(
        store, region, np.arange(7), {s.cut: s.splitter for s in SETTINGS}, shared, cache, mark
    )


def test_tables_hold_every_pixel_and_come_back_from_the_cache(root, tmp_path):
    made = image_tables([work(root, tmp_path)], KEYS[0])[0]
    read = image_tables([work(root, tmp_path)], KEYS[0])[0]
    for tables in (made, read):
        assert tables.comparisons[0][0] is tables.comparisons[512][0]
        for name in CUTS:
            pairs, stuff = tables.comparisons[0]
            things = panoptic_rows(tables.cuts[0, name], pairs, 5, 7)
            assert things[:, 4].sum() + stuff[:, 3].sum() == SIZE[0] * SIZE[1]
    for key, table in made.cuts.items():
        assert np.array_equal(table.rows, read.cuts[key].rows)
        for name in ("core_area_px", "area_px", "edge_px"):
            assert np.array_equal(getattr(table, name), getattr(read.cuts[key], name))


def test_the_maps_before_splitting_are_in_the_tables(root):
    one = work(root, None)
    tables = image_tables([one], KEYS[1])[0]
    pairs, stuff = tables.comparisons[0]
    cut = tables.cuts[0, CUTS[1]].rows
    found = {}
    for cluster, *true, pixels in [*np.column_stack((pairs[cut[:, 2]], cut[:, 3])), *stuff]:
        key = (int(cluster), 0, *map(int, true))
        found[key] = found.get(key, 0) + int(pixels)
    semantic = one.labels.semantic(KEYS[1])
    map_ = torch.stack((semantic, torch.zeros_like(semantic)), -1)
    target = one.shared.truth.target(KEYS[1])
    assert found == {tuple(r[:4]): r[4] for r in segment_table(map_, target).tolist()}


def test_an_image_is_read_once_for_all_sources(root, monkeypatch):
    calls = []
    original = FolderDepth.read

    def counted(self, path):
        calls.append(path)
        return original(self, path)

    monkeypatch.setattr(FolderDepth, "read", counted)
    first, second = image_tables([work(root, None), work(root, None)], KEYS[2])
    assert len(calls) == 1
    assert np.array_equal(first.cuts[0, CUTS[1]].rows, second.cuts[0, CUTS[1]].rows)
    assert image_tables([work(root, None)], "bonn/none") == [None]
