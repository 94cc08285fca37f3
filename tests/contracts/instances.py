"""What every reader of instances must do; its test inherits this class and makes `reader`."""

import numpy as np
import pytest

from relief.ops.objects.instance_masks import decoded
from relief.schema.errors import ReadError
from relief.schema.instances import InstanceReader


class InstanceReaderContract:
    """Instances come by sorted keys, each with its box, area and score, and a mask if any has."""

    @pytest.fixture
    def reader(self) -> InstanceReader:
        """Makes the reader of a data set with an instance in at least one image."""
        raise NotImplementedError

    def test_instances_fit_their_image(self, reader):
        assert isinstance(reader, InstanceReader)
        keys = list(reader.keys)
        assert keys == sorted(set(keys))
        images = [reader.instances(key) for key in keys]
        assert any(len(image) for image in images)
        for image in images:
            count = len(image)
            assert image.boxes.shape == (count, 4)
            kinds = (np.int64, np.float64, np.float64, np.float64, np.bool_)
            values = (image.category, image.boxes, image.area_px, image.scores, image.crowd)
            for value, kind in zip(values, kinds, strict=True):
                assert (len(value), value.dtype) == (count, kind)
            assert (image.boxes[:, 2:] > 0).all()
            assert np.isfinite(image.scores).all()
            assert (image.masks is not None) == reader.has_masks
            for mask in image.masks or ():
                assert decoded(mask).shape == image.size

    def test_an_unknown_key_fails_its_image(self, reader):
        with pytest.raises(ReadError):
            reader.instances("no/such_image")
