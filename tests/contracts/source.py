"""What every source of images must do; its test inherits this class and makes `source`."""

import inspect

import pytest
import torch

from relief.formats.images import read_image
from relief.schema.sources import ImageSource, keys_with_target


class SourceContract:
    """Images and ground truth are found by sorted keys, in the classes of the source."""

    @pytest.fixture
    def source(self) -> ImageSource:
        """Makes the part on a data set with at least one target."""
        raise NotImplementedError

    def test_keys_are_sorted_and_lead_to_photographs(self, source):
        assert isinstance(source, ImageSource)
        keys = list(source.keys)
        assert keys
        assert keys == sorted(set(keys))
        assert all(source.image_path(key).is_file() for key in keys)
        assert all(source.image_path(key).is_relative_to(source.root) for key in keys)
        assert isinstance(source.split, str)

    def test_targets_have_the_shape_of_the_image_and_the_classes_of_the_source(self, source):
        keys = keys_with_target(source)
        assert keys
        assert all(source.target_path(key).is_file() for key in keys)
        space = source.label_space
        for key in keys:
            target = source.target(key)
            assert target.dtype == torch.int64
            assert target.shape == (*read_image(source.image_path(key)).shape[-2:], 2)
            category, instance = target.unbind(-1)
            assert category.min() >= -1
            assert category.max() < space.num_classes
            inside = category[instance > 0].unique().tolist()
            assert set(inside) <= set(space.things)
            assert torch.equal(source.target(key), target)

    def test_an_unknown_key_has_no_target(self, source):
        assert source.target_path("no/such_image") is None

    def test_where_it_lies_decides_nothing(self, source):
        arguments = set(inspect.signature(type(source)).parameters)
        assert arguments & {"root", "folder", "out"} <= getattr(
            type(source), "free_arguments", frozenset()
        )
