"""What every reader of labels must do; its test inherits this class and makes `labels`."""

import inspect

import pytest
import torch

from relief.formats.reader import LabelReader, panoptic_at
from relief.ops.resize import resize_nearest
from relief.schema.errors import ReadError


class ReaderContract:
    """Maps are found by sorted keys, and hold ids of the range that the reader promises."""

    ids = 2  # at least so many in the labels that are tried

    @pytest.fixture
    def labels(self) -> LabelReader:
        """Opens labels of at least one image with more than one id."""
        raise NotImplementedError

    def test_keys_are_sorted_and_lead_to_maps_of_one_size(self, labels):
        keys = list(labels.keys)
        assert keys
        assert keys == sorted(set(keys))
        for key in keys:
            semantic, panoptic = labels.semantic(key), labels.panoptic(key)
            assert (semantic.dtype, panoptic.dtype) == (torch.int64, torch.int64)
            assert panoptic.shape == (*semantic.shape, 2)
            assert torch.equal(labels.panoptic(key), panoptic)
            assert torch.equal(labels.semantic(key), semantic)

    def test_a_map_at_another_size_is_the_map_resized(self, labels):
        for key in labels.keys:
            panoptic = labels.panoptic(key)
            own_size = tuple(panoptic.shape[:2])
            for size in ((max(1, own_size[0] // 3), own_size[1] + 5), own_size):
                expected = resize_nearest(panoptic.permute(2, 0, 1), size).permute(1, 2, 0)
                found, told_size = panoptic_at(labels, key, size)
                assert told_size == own_size
                assert torch.equal(found, expected)

    def test_ids_keep_to_what_is_promised(self, labels):
        seen = set()
        for key in labels.keys:
            category, instance = labels.panoptic(key).unbind(-1)
            for ids in (category, labels.semantic(key)):
                assert ids.min() >= -1
                assert ids.max() < labels.num_categories
            assert instance.min() >= 0
            assert (category[instance > 0] >= 0).all()
            if labels.thing_ids is not None:
                assert set(category[instance > 0].unique().tolist()) <= set(labels.thing_ids)
            seen |= set(category.unique().tolist())
        assert len(seen - {-1}) >= self.ids

    def test_a_key_without_labels_is_one_line(self, labels):
        for read in (labels.semantic, labels.panoptic):
            with pytest.raises(ReadError) as caught:
                read("no/such_image")
            text = str(caught.value)
            assert "no/such_image" in text or "no_such_image" in text
            assert text.endswith(".")
            assert not text.endswith("..")
            assert "\n" not in text

    def test_where_it_lies_decides_nothing(self, labels):
        arguments = set(inspect.signature(type(labels)).parameters)
        assert arguments & {"root", "folder", "out"} <= getattr(
            type(labels), "free_arguments", frozenset()
        )
