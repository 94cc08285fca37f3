"""The published cuts of small scenes, by scene."""

from pathlib import Path

import numpy as np
import torch

PATH = Path(__file__).parents[3] / "golden" / "cuts3d.npz"


def scenes(part: str) -> list[str]:
    """Names of the scenes of one part: m, l, i or c."""
    with np.load(PATH, allow_pickle=False) as file:
        return sorted({name.split("/")[1] for name in file.files if name.startswith(f"{part}/")})


def scene(part: str, name: str) -> dict[str, torch.Tensor]:
    """All arrays of a scene as tensors."""
    prefix = f"{part}/{name}/"
    with np.load(PATH, allow_pickle=False) as file:
        return {
            key.removeprefix(prefix): torch.from_numpy(np.asarray(file[key]))
            for key in file.files
            if key.startswith(prefix)
        }
