"""The functions under seed 003 on small inputs: published where they are right, else as meant."""

from pathlib import Path

import numpy as np
import torch

PATH = Path(__file__).parents[2] / "golden" / "thesis.npz"


def golden(name: str) -> torch.Tensor:
    """One array; void is -1."""
    with np.load(PATH, allow_pickle=False) as file:
        values = torch.from_numpy(np.asarray(file[name]))
    return torch.where(values == 255, -1, values) if name.endswith("labels") else values


def has(name: str) -> bool:
    """Whether there is such an array."""
    with np.load(PATH, allow_pickle=False) as file:
        return name in file.files
