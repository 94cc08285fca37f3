"""Where the networks of a study run."""

from __future__ import annotations

import torch

from relief.schema.errors import UsageError


def chosen_device(name: str | None) -> torch.device:
    """The device of that name; without one a GPU where there is one, else the CPU.

    Raises:
        UsageError: There is no such device.
    """
    has_gpu = torch.cuda.is_available()
    try:
        device = torch.device(name or ("cuda" if has_gpu else "cpu"))
    except RuntimeError as error:
        msg = f"unknown device: {name}. Use cpu or cuda."
        raise UsageError(msg) from error
    if device.type == "cuda" and not has_gpu:
        msg = f"no GPU here: {name}. Use cpu."
        raise UsageError(msg)
    return device
