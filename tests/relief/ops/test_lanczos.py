from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from relief.ops.lanczos import lanczos_weights, resize_lanczos


@pytest.mark.parametrize("size", [(40, 64), (20, 60), (96, 128), (64, 31), (17, 96)])
def test_equals_pil_up_to_a_level_here_and_there(size):
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (64, 96, 3), dtype=np.uint8)
    judge = np.asarray(Image.fromarray(picture).resize(size[::-1], Image.Resampling.LANCZOS))
    image = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
    ours = (resize_lanczos(image, size)[0].permute(1, 2, 0) * 255).round().numpy()
    difference = np.abs(ours - judge.astype(np.float32))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3


def test_same_size_changes_nothing():
    image = torch.arange(256).reshape(1, 1, 16, 16) / 255
    assert torch.allclose(resize_lanczos(image, (16, 16)), image)


def test_constant_stays_constant():
    assert torch.allclose(lanczos_weights(100, 37, torch.device("cpu")).sum(1), torch.ones(37))
