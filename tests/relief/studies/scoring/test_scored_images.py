from pathlib import Path

import pytest
import torch

from relief.formats.label_store import LabelStore
from relief.ops.panoptic import segment_table
from relief.schema.errors import ReadError
from relief.schema.label_spaces import CITYSCAPES_19
from relief.sources.cityscapes import CityscapesSource
from relief.studies.scoring.scored_images import read_scored_images
from tests.relief.studies.tiny import CLASS_OF_CLUSTER, KEYS, draw_store, draw_tree


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    root = draw_tree(tmp_path_factory.mktemp("scored"))
    return LabelStore(draw_store(root / "labels")), CityscapesSource(root, "val")


def test_tables_are_those_of_the_maps_at_each_size(drawn):
    store, tree = drawn
    images = read_scored_images(store, tree, (24, 512))
    assert images.keys == sorted(KEYS)
    assert set(images.tables) == {0, 24, 512}
    key = KEYS[0]
    pred, target = store.panoptic(key), tree.target(key)
    assert images.tables[0][0].tolist() == segment_table(pred, target).tolist()
    assert images.tables[512][0] is images.tables[0][0]
    small = segment_table(pred[1::2, 1::2].contiguous(), target[1::2, 1::2].contiguous())
    assert images.tables[24][0].tolist() == small.tolist()
    rows = images.joined(24)
    assert len(rows.image) == len(rows.table) == sum(len(t) for t in images.tables[24])
    assert rows.image.tolist() == sorted(rows.image.tolist())


def test_counts_leave_void_truth_out_and_keep_thing_pixels_without_instance(drawn):
    store, tree = drawn
    images = read_scored_images(store, tree)
    targets = [tree.target(key)[..., 0] for key in KEYS]
    assert images.counts.pixels.sum() == sum(int((t >= 0).sum()) for t in targets)
    assert images.semantic.pixels.tolist() == images.counts.pixels.tolist()
    assert images.counts.pixels.argmax(1).tolist() == list(CLASS_OF_CLUSTER)
    assert torch.tensor(images.counts.pixels).sum(0)[13] == sum(
        int((t == 13).sum()) for t in targets
    )


def test_pixels_of_categories_are_also_those_under_void_truth(drawn):
    store, tree = drawn
    images = read_scored_images(store, tree)
    semantic = torch.cat([store.semantic(key).flatten() for key in KEYS])
    assert images.category_px.tolist() == torch.bincount(semantic, minlength=7).tolist()
    assert images.category_px[0] > images.semantic.pixels[0].sum()  # the ego vehicle is void


def test_where_nothing_can_be_read_the_first_reasons_are_told(tmp_path):
    root = draw_tree(tmp_path)
    store, tree = LabelStore(draw_store(root / "labels")), CityscapesSource(root, "val")
    first, *others = sorted(KEYS)
    for key in others:
        tree.ids.instance_path(key).write_text("version https://git-lfs.github.com/spec/v1")
    images = read_scored_images(store, tree)
    assert images.keys == [first]
    assert [failure["key"] for failure in images.failures] == others
    tree.ids.instance_path(first).write_text("")
    told = rf"^none of 3 images can be scored: {first}: cannot read label: .*not a PNG.*[^.]\.$"
    with pytest.raises(ReadError, match=told):
        read_scored_images(store, tree)


def test_labels_of_another_shape_are_not_stretched():
    class Labels:
        keys, num_categories, thing_ids = ("a",), 19, CITYSCAPES_19.things

        def panoptic(self, key):
            return torch.zeros(8, 4, 2, dtype=torch.int64)

        def semantic(self, key):
            return self.panoptic(key)[..., 0]

    class Truth:
        label_space, root = CITYSCAPES_19, Path()

        def target_path(self, key):
            return Path(key)

        def target(self, key):
            return torch.zeros(4, 8, 2, dtype=torch.int64)

    with pytest.raises(ReadError, match=r"another shape than their ground truth: a \(8x4, "):
        read_scored_images(Labels(), Truth())
