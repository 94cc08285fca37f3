import numpy as np
import pytest

from relief.formats.coco.annotation import Misfit, joined_instances, read_annotation

POLYGON = {"category_id": 4, "segmentation": [[0, 0, 3, 0, 3, 2, 0, 2]], "score": 0.5}


def test_an_annotation_is_an_instance():
    one = read_annotation(POLYGON, (4, 5), has_mask=True)
    assert (one.category, one.box.tolist(), one.area_px, one.score) == (4, [0, 0, 3, 2], 6, 0.5)
    boxes = read_annotation(POLYGON | {"bbox": [0, 0, 2, 2]}, (4, 5), has_mask=False)
    assert (boxes.mask, boxes.area_px) == (None, 4)
    with pytest.raises(Misfit, match="has no area"):
        read_annotation(POLYGON, (4, 5), has_mask=False)


def test_several_polygons_are_one_mask():
    parts = [*POLYGON["segmentation"], [3, 2, 5, 2, 5, 4, 3, 4]]
    assert read_annotation(POLYGON | {"segmentation": parts}, (4, 5), has_mask=True).area_px == 10


def test_no_instances_have_the_right_shapes():
    nothing = joined_instances([], (4, 5), has_masks=True)
    assert (nothing.boxes.shape, nothing.masks, len(nothing)) == ((0, 4), [], 0)
    assert joined_instances([], (4, 5), has_masks=False).masks is None
    assert nothing.category.dtype == np.int64
