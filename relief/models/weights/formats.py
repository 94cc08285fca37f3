"""Tensors from .safetensors, .pth/.pt, .npy and .npz; nothing in a file is ever executed."""

from __future__ import annotations

import pickle
import pickletools
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from relief.schema.plain_text import json_of

ARRAY_KEY = "array"
HOLDS_CODE = "holds code, not only weights"
_SAFETENSORS = ".safetensors"
_NUMPY_MAGIC = b"\x93NUMPY"
_ZIP_MAGIC = b"PK\x03\x04"
_CODE_IN_MESSAGE = ("unsupported global", "not an allowed global", "unsupported class")
_CODE_IN_PICKLE = {"GLOBAL", "STACK_GLOBAL", "INST", "REDUCE", "NEWOBJ", "NEWOBJ_EX"}


class UnreadableError(Exception):
    """A file is no weight file; the text is the reason, `HOLDS_CODE` where it holds code."""


def read_tensors(path: Path, suffix: str | None = None) -> dict[str, Tensor]:
    """Tensors by name, on the CPU.

    Args:
        path: A file. Safetensors are known by their content, whatever they are called.
        suffix: Which format it is in; `None`: its own suffix says. `.npy` holds one array, called
            `array`; what is none of the others is read as a torch checkpoint.

    Raises:
        UnreadableError: It is damaged, something else, or holds code.
    """
    try:
        return _read(path, suffix or path.suffix)
    except UnreadableError:
        raise
    except (pickle.UnpicklingError, zipfile.BadZipFile) as error:
        reason = HOLDS_CODE if _was_refused_for_code(path, error) else _reason(error)
        raise UnreadableError(reason) from error
    except Exception as error:  # a cut or foreign file fails in many ways
        raise UnreadableError(_reason(error)) from error


def why_unreadable(path: Path, suffix: str | None = None) -> str:
    """Explains why a file cannot be what its name says; empty where it can.

    Of safetensors only the header is read, which tells their length.

    Args:
        path: A file: JSON, or what `read_tensors` reads.
        suffix: As for `read_tensors`.
    """
    try:
        if (suffix or path.suffix) == ".json":
            json_of(path.read_bytes())
        elif _is_safetensors(path, suffix or path.suffix):
            with safe_open(path, framework="pt"):
                pass
        else:
            read_tensors(path, suffix)
    except (OSError, ValueError, SafetensorError) as error:
        return _reason(error)
    except UnreadableError as error:
        return str(error)
    return ""


def _read(path: Path, suffix: str) -> dict[str, Tensor]:
    if _is_safetensors(path, suffix):
        return load_file(path)
    if suffix in {".npy", ".npz"}:
        return _read_numpy(path)
    with warnings.catch_warnings():  # of other pickle protocols, before it refuses them
        warnings.simplefilter("ignore", UserWarning)
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    return _tensors(checkpoint)


def _is_safetensors(path: Path, suffix: str) -> bool:
    """By name, or by content: the length of a JSON header in 8 bytes, and its first brace."""
    if suffix == _SAFETENSORS:
        return True
    with path.open("rb") as file:
        head = file.read(9)
    length = int.from_bytes(head[:8], "little")
    return head[8:] == b"{" and length <= path.stat().st_size - 8


def _read_numpy(path: Path) -> dict[str, Tensor]:
    with path.open("rb") as file:
        head = file.read(6)
    if not head.startswith((_NUMPY_MAGIC, _ZIP_MAGIC)):
        raise OSError("not a NumPy file")
    try:
        # By content: the name need not tell. Mapped: a header that promises more takes no memory.
        content = np.load(path, mmap_mode="r", allow_pickle=False)
        is_one = isinstance(content, np.ndarray)
        arrays = {ARRAY_KEY: np.array(content)} if is_one else dict(content)
    except ValueError as error:
        if "allow_pickle" in str(error) or "Python objects" in str(error):
            raise UnreadableError(HOLDS_CODE) from error
        raise
    return {name: torch.from_numpy(array) for name, array in arrays.items() if _is_numeric(array)}


def _is_numeric(array: object) -> bool:
    return isinstance(array, np.ndarray) and array.dtype.kind in "biuf"


def _tensors(checkpoint: object) -> dict[str, Tensor]:
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
    return _tensors(inner[0])


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


def _reason(error: Exception) -> str:
    cause = error.__context__ or error  # torch wraps the reason in a page of advice
    lines = str(cause).strip().splitlines()
    return lines[0].rstrip(".")[:100] if lines else type(error).__name__
