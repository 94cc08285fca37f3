from __future__ import annotations

import numpy as np
import pytest

from relief.sources.channel_statistics import channel_statistics, main
from relief.sources.image_folder import ImageFolderSource
from tests.png_files import write_png


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 5, 7, 3)).astype(np.uint8)
    for number, image in enumerate(images):
        write_png(tmp_path / f"{number}.png", image)
    return tmp_path, images


def test_all_pixels_count(folder):
    root, images = folder
    mean, deviation = channel_statistics(ImageFolderSource(root))
    pixels = images.reshape(-1, 3) / 255
    np.testing.assert_allclose(mean, pixels.mean(axis=0))
    np.testing.assert_allclose(deviation, pixels.std(axis=0))


def test_the_command_prints_what_recipes_name(folder, monkeypatch, capsys):
    words = ["--source", "relief.sources.image_folder.ImageFolderSource"]
    monkeypatch.setattr("sys.argv", ["", *words, "--source.root", str(folder[0])])
    main()
    mean = (folder[1].reshape(-1, 3) / 255).mean(axis=0)
    assert f"mean: [{mean[0]:.3f}, {mean[1]:.3f}, {mean[2]:.3f}]" in capsys.readouterr().out
