from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from relief.samples.scenes.fields import TILE_PX
from relief.samples.scenes.textures import texture_field
from relief.schema.label_spaces import CITYSCAPES_19


def spectrum(field: np.ndarray) -> np.ndarray:
    power = np.abs(np.fft.fft2(field)) ** 2
    power = cv2.blur(np.roll(power, (4, 4), (0, 1)).astype(np.float32), (9, 9))
    return power / np.linalg.norm(power)


@pytest.mark.parametrize("name", [*CITYSCAPES_19.names, "static"])
def test_field_is_standardised_and_repeats(name):
    field = texture_field(name)
    assert field.shape == (TILE_PX, TILE_PX)
    assert field.dtype == np.float32
    assert abs(field.mean()) < 1e-3
    assert field.std() == pytest.approx(1, abs=1e-3)
    for axis in (0, 1):
        steps = np.abs(np.diff(field, axis=axis)).mean()
        across = np.abs(np.take(field, 0, axis) - np.take(field, -1, axis)).mean()
        assert across < 3 * steps + 0.3


def test_every_class_has_a_spectrum_of_its_own():
    spectra = {name: spectrum(texture_field(name)) for name in CITYSCAPES_19.names}
    alike = {
        (a, b): float((spectra[a] * spectra[b]).sum())
        for a, b in itertools.combinations(spectra, 2)
    }
    assert max(alike.values()) < 0.9, max(alike, key=alike.get)


def test_field_is_the_same_object_and_cannot_be_changed():
    assert texture_field("road") is texture_field("road")
    with pytest.raises(ValueError, match="read-only"):
        texture_field("road")[0, 0] = 1
