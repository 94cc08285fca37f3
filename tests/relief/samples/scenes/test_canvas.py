from __future__ import annotations

import numpy as np

from relief.samples.scenes.canvas import TEXTURE_STD, Canvas, Surface


def surface(label: str) -> Surface:
    return Surface(label, np.array([0.3, 0.4, 0.5], np.float32), (0.0, 0.0))


def paint(canvas: Canvas, label: str, columns: slice, distance_m: float, **more) -> None:
    box = canvas.clip(0, 0, canvas.size[0] - 1, canvas.size[1] - 1)
    mask = np.zeros(canvas.size, bool)
    mask[:, columns] = True
    canvas.paint(box, mask, surface(label), distance_m, **more)


def test_objects_are_numbered_and_regions_are_not():
    canvas = Canvas((4, 8))
    paint(canvas, "road", np.s_[:], 10.0)
    paint(canvas, "car", np.s_[:2], 8.0)
    paint(canvas, "car", np.s_[2:4], 6.0)
    paint(canvas, "person", np.s_[4:6], 5.0)
    paint(canvas, "person", np.s_[6:7], 4.0, is_group=True)
    assert canvas.instance_ids[0].tolist() == [26000, 26000, 26001, 26001, 24000, 24000, 24, 7]
    assert canvas.label_ids[0].tolist() == [26, 26, 26, 26, 24, 24, 24, 7]


def test_depth_is_distance_over_40_m_and_clipped():
    canvas = Canvas((2, 4))
    paint(canvas, "road", np.s_[:2], 10.0)
    paint(canvas, "sky", np.s_[2:3], 900.0)
    np.testing.assert_allclose(canvas.depth[0], [0.25, 0.25, 1, 1])


def test_paint_outside_of_the_mask_changes_nothing():
    canvas = Canvas((3, 6))
    paint(canvas, "car", np.s_[3:], 5.0)
    assert not canvas.image[:, :3].any()
    assert not canvas.label_ids[:, :3].any()


def test_texture_varies_around_the_colour_by_its_standard_deviation():
    canvas = Canvas((400, 400))
    paint(canvas, "vegetation", np.s_[:], 5.0)
    np.testing.assert_allclose(canvas.image.mean((0, 1)), [0.3, 0.4, 0.5], atol=0.01)
    assert abs(canvas.image[..., 0].std() - TEXTURE_STD) < 0.01
    # texture is brightness: it has no colour of its own
    np.testing.assert_allclose(canvas.image[..., 2] - canvas.image[..., 0], 0.2, atol=1e-5)


def test_contrast_weakens_the_texture():
    canvas = Canvas((200, 200))
    paint(canvas, "fence", np.s_[:], 5.0, contrast=0.5)
    assert abs(canvas.image[..., 0].std() - TEXTURE_STD / 2) < 0.01
