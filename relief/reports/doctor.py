"""Versions, devices and memory of this machine, and the weights that recipes still miss."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from relief.models.weights.configured import is_on_disk, needed_weights
from relief.processes.recipes import listed_recipes, shipped_file

PACKAGES = ("torch", "torchvision", "pytorch-lightning", "timm", "kornia")
OPTIONAL = ("transformers", "sal-detectron2", "pydensecrf2")


def doctor_lines() -> Iterator[str]:
    """Returns the lines of `relief doctor`: versions, devices, memory, recipes."""
    yield f"python            {platform.python_version()} on {platform.platform()}"
    for package in PACKAGES:
        yield f"{package:18}{installed(package) or 'missing: pip install .'}"
    for package in OPTIONAL:
        yield f"{package:18}{installed(package) or 'not installed (optional)'}"
    gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    yield f"processor         {os.cpu_count()} cores, {gib:.1f} GiB of memory"
    yield from device_lines()
    for command, name, file in listed_recipes():
        missing = missing_files(file)
        state = f"misses {', '.join(missing)}" if missing else "has its weights"
        yield f"{command:8}{name:28}{state}"
    yield "Get weights: python -m relief.models.weights get --config RECIPE. Others a run makes."


def device_lines() -> Iterator[str]:
    """Returns a line for each GPU with its free and whole memory, or that there is none."""
    if not torch.cuda.is_available():
        yield "device            none: everything runs on the processor"
    for i in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        free, whole = (size / 2**30 for size in torch.cuda.mem_get_info(i))
        name = torch.cuda.get_device_name(i)
        yield f"device            cuda:{i} {name}, {free:.1f} of {whole:.1f} GiB free"


def installed(package: str) -> str | None:
    """Returns the version of an installed package, `None` where it is not."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def missing_files(recipe: Path) -> list[str]:
    """Returns the weights that a recipe names and that are not there, in its order."""
    needed = needed_weights(recipe).items()
    return [path for path, source in needed if not is_on_disk(shipped_file(path), source)]
