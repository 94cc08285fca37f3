from __future__ import annotations

import numpy as np

from relief.samples.scenes.fields import TILE_PX, band_noise, joints, slab_tones, standardised, wave


def test_band_noise_keeps_to_its_band_and_orientation():
    power = np.abs(np.fft.fft2(band_noise(0, (40, 80), 0.0, 0.1))) ** 2
    frequency = np.fft.fftfreq(TILE_PX) * TILE_PX
    fy, fx = np.meshgrid(frequency, frequency, indexing="ij")
    radius = np.hypot(fx, fy)
    assert power[(radius > 20) & (radius < 160)].sum() > 0.95 * power.sum()
    assert power[np.abs(fx) > 2 * np.abs(fy)].sum() > 0.95 * power.sum()


def test_band_noise_is_the_same_for_the_same_seed():
    np.testing.assert_array_equal(band_noise(3, (10, 20)), band_noise(3, (10, 20)))
    assert not np.array_equal(band_noise(3, (10, 20)), band_noise(4, (10, 20)))


def test_wave_has_whole_cycles():
    power = np.abs(np.fft.fft2(wave(0, 56)))
    assert np.unravel_index(power.argmax(), power.shape)[1] in (56, TILE_PX - 56)


def test_joints_are_as_many_as_asked_for():
    row = joints(16, 1, 0.1)[0]
    assert (np.diff((row > 0.5).astype(int)) == 1).sum() == 16  # one goes over the border


def test_slabs_have_one_tone_each():
    assert len(np.unique(slab_tones(16))) == 256


def test_standardised():
    field = standardised(np.random.default_rng(0).uniform(5, 9, (64, 64)))
    assert abs(field.mean()) < 1e-5
    assert abs(field.std() - 1) < 1e-5
