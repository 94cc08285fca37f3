"""Weight files read without running anything they hold: .safetensors, .pth/.pt, .npy and .npz."""

from __future__ import annotations

import hashlib
import pickle
import pickletools
import warnings
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from relief.schema.errors import WeightsError

ARRAY_KEY = "array"
_NUMPY_MAGIC = b"\x93NUMPY"
_ZIP_MAGIC = b"PK\x03\x04"
_CODE_IN_MESSAGE = ("unsupported global", "not an allowed global", "unsupported class")
_CODE_IN_PICKLE = {"GLOBAL", "STACK_GLOBAL", "INST", "REDUCE", "NEWOBJ", "NEWOBJ_EX"}


def sha256_of(path: Path | str) -> str:
    """The sha256 of a file's bytes, 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_state_dict(path: Path | str, sha256: str | None = None) -> dict[str, Tensor]:
    """Reads the tensors of a weight file onto the CPU; nothing in the file is executed.

    A state dict wrapped alone in another dict (`{"state_dict": {...}, "epoch": 3}`) is unwrapped;
    entries that are no tensors (a height, an epoch) are left out.

    Args:
        path: `.safetensors`; `.npy`, whose array gets the name `array`; `.npz`; anything else is
            read as a torch checkpoint with `weights_only`.
        sha256: What the file must hash to; the first digits are enough. `None` checks nothing.

    Returns:
        Tensors by name.

    Raises:
        WeightsError: The file is missing, damaged, differs from `sha256`, or holds code.
    """
    path = Path(path)
    if not path.is_file():
        msg = (
            f"cannot load weights: {path} (no such file). "
            "`python -m relief.models.weights get --config FILE` downloads what it can."
        )
        raise WeightsError(msg)
    if sha256 is not None:
        _check_sha256(path, sha256)
    try:
        return _read(path)
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, SafetensorError) as error:
        raise _damaged(path, error) from error
    except (pickle.UnpicklingError, zipfile.BadZipFile) as error:
        if _was_refused_for_code(path, error):
            raise _holds_code(path) from error
        raise _damaged(path, error) from error


def convert(path: Path, target: Path) -> None:
    """Writes the tensors of a weight file as safetensors: equal tensors give equal bytes.

    Raises:
        WeightsError: As `load_state_dict`.
    """
    tensors = load_state_dict(path)
    part = target.with_name(target.name + ".part")
    save_file({name: tensors[name].contiguous().clone() for name in sorted(tensors)}, part)
    part.replace(target)


def fill(
    module: nn.Module,
    state_dict: Mapping[str, Tensor],
    *,
    source: Path | str,
    ignored: Collection[str] = (),
    assign: bool = False,
) -> None:
    """Copies a state dict into a module of exactly those names and shapes.

    Args:
        module: Filled in place.
        state_dict: Tensors by name.
        source: The file or part of which the error speaks.
        ignored: Names that the state dict may hold beside the module's own.
        assign: Use the tensors themselves instead of copies: for modules built on `meta`.

    Raises:
        WeightsError: A name is missing or too many, or a shape differs.
    """
    own = module.state_dict()
    wrong = [f"no {name}" for name in own if name not in state_dict]
    wrong += [f"unknown {name}" for name in state_dict if name not in own and name not in ignored]
    wrong += [
        f"{name} is {tuple(state_dict[name].shape)}, expected {tuple(tensor.shape)}"
        for name, tensor in own.items()
        if name in state_dict and state_dict[name].shape != tensor.shape
    ]
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        msg = (
            f"cannot load weights: {source} ({wrong[0]}{more}). "
            "Give the file that belongs to this network."
        )
        raise WeightsError(msg)
    module.load_state_dict({name: state_dict[name] for name in own}, assign=assign)


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        return load_file(path)
    if path.suffix in {".npy", ".npz"}:
        return _read_numpy(path)
    with warnings.catch_warnings():  # of other pickle protocols, before it refuses them
        warnings.simplefilter("ignore", UserWarning)
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    return _tensors(checkpoint, path)


def _read_numpy(path: Path) -> dict[str, Tensor]:
    with path.open("rb") as file:
        head = file.read(6)
    if not head.startswith((_NUMPY_MAGIC, _ZIP_MAGIC)):
        raise OSError("not a NumPy file")
    try:
        content = np.load(path, allow_pickle=False)
        arrays = {ARRAY_KEY: content} if isinstance(content, np.ndarray) else dict(content)
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise _holds_code(path) from error
        raise
    return {name: torch.from_numpy(array) for name, array in arrays.items() if _is_numeric(array)}


def _is_numeric(array: np.ndarray[Any, Any]) -> bool:
    return array.dtype.kind in "biuf"


def _tensors(checkpoint: object, path: Path) -> dict[str, Tensor]:
    if isinstance(checkpoint, Tensor):
        return {ARRAY_KEY: checkpoint}
    if not isinstance(checkpoint, Mapping):
        raise OSError(f"holds a {type(checkpoint).__name__}, not a state dict")
    tensors = {str(name): value for name, value in checkpoint.items() if isinstance(value, Tensor)}
    if tensors:
        return tensors
    inner = [
        value
        for value in checkpoint.values()
        if isinstance(value, Mapping) and any(isinstance(v, Tensor) for v in value.values())
    ]
    if len(inner) != 1:
        raise OSError("holds no state dict" if not inner else "holds several state dicts")
    return _tensors(inner[0], path)


def _was_refused_for_code(path: Path, error: Exception) -> bool:
    message = str(error).lower()
    return any(sign in message for sign in _CODE_IN_MESSAGE) or _is_pickle_with_code(path)


def _is_pickle_with_code(path: Path) -> bool:
    """Whether a bare pickle names anything to call. Reads the opcodes, executes none."""
    seen = set()
    try:
        with path.open("rb") as file:
            for opcode, _, _ in pickletools.genops(file):
                seen.add(opcode.name)
    except (ValueError, UnicodeDecodeError, OverflowError):
        return False
    return bool(seen & _CODE_IN_PICKLE)


def _check_sha256(path: Path, expected: str) -> None:
    actual = sha256_of(path)
    if not actual.startswith(expected.lower()):
        msg = (
            f"cannot load weights: {path} (sha256 {actual[:12]}.., expected {expected[:12]}..). "
            "Download it again."
        )
        raise WeightsError(msg)


def _damaged(path: Path, error: Exception) -> WeightsError:
    cause = error.__context__ or error  # torch wraps the reason in a page of advice
    lines = str(cause).strip().splitlines()
    reason = lines[0].rstrip(".")[:100] if lines else type(error).__name__
    return WeightsError(
        f"cannot load weights: {path} (not a readable weight file: {reason}; "
        f"sha256 {sha256_of(path)[:12]}..). Download it again."
    )


def _holds_code(path: Path) -> WeightsError:
    return WeightsError(f"{path} holds code, not only weights; not loaded.")
