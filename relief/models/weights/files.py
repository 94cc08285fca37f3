"""Weight files read without running anything they hold, converted, and filled into networks."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from relief.formats.files.atomic import write_bytes
from relief.models.weights.formats import ARRAY_KEY, HOLDS_CODE, UnreadableError, read_tensors
from relief.models.weights.sources import how_to_get
from relief.schema.errors import WeightsError
from relief.schema.plain_text import json_of

__all__ = ["ARRAY_KEY", "convert", "fill", "load_state_dict", "refuse_not_finite", "sha256_of"]
RECORD_SUFFIX = ".source.json"


def sha256_of(path: Path | str) -> str:
    """The sha256 of a file's bytes, 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def record_of(path: Path) -> dict[str, str]:
    """Reads what `weights get` recorded beside a file; empty where there is no record.

    Raises:
        WeightsError: The record cannot be read.
    """
    record = path.with_name(path.name + RECORD_SUFFIX)
    if not record.is_file():
        return {}
    try:
        content = dict(json_of(record.read_bytes()))
    except (OSError, TypeError, ValueError) as error:
        msg = f"cannot read: {record} ({error}). Delete it to trust the file that lies there."
        raise WeightsError(msg) from error
    return {name: str(value) for name, value in content.items()}


def recorded_sha256(path: Path) -> str:
    """Returns the sha256 of a file, which is that of its record where there is one.

    Raises:
        WeightsError: The file is not what was got first.
    """
    actual = sha256_of(path)
    check_recorded(path, "sha256", actual, path)
    return actual


def check_recorded(path: Path, name: str, actual: str, file: Path) -> None:
    """Compares a sha256 with an entry of the record beside a file.

    Args:
        path: Whose record.
        name: `sha256` of the file itself, `published_sha256` of what it was converted from.
        actual: The sha256 now.
        file: What it was taken of.

    Raises:
        WeightsError: They differ.
    """
    expected = record_of(path).get(name, actual)
    if actual != expected:
        msg = (
            f"{file} is not the file that was got first (sha256 {actual[:12]}.., recorded "
            f"{expected[:12]}..). Get it again, or delete {path}{RECORD_SUFFIX} if it is meant."
        )
        raise WeightsError(msg)


def load_state_dict(path: Path | str, sha256: str | None = None) -> dict[str, Tensor]:
    """Reads the tensors of a weight file onto the CPU; nothing in the file is executed.

    A state dict wrapped alone in another dict (`{"state_dict": {...}, "epoch": 3}`) is unwrapped;
    entries that are no tensors (a height, an epoch) are left out.

    Args:
        path: `.safetensors`; `.npy`, whose array gets the name `array`; `.npz`; anything else is
            read as a torch checkpoint with `weights_only`, unless its content is safetensors.
        sha256: What the file must hash to; the first digits are enough. `None` checks the record
            beside the file, where there is one.

    Returns:
        Tensors by name.

    Raises:
        WeightsError: The file is missing, damaged, differs from `sha256`, holds code, or NaN or
            infinite values.
    """
    path = Path(path)
    if not path.is_file():
        remedy = "Check the path. `python -m relief.models.weights list` shows what can be got."
        msg = f"cannot load weights: {path} (no such file). {how_to_get(path, remedy)}"
        raise WeightsError(msg)
    if sha256 is not None:
        _check_sha256(path, sha256)
    elif record_of(path):
        recorded_sha256(path)
    try:
        tensors = read_tensors(path)
    except UnreadableError as error:
        raise _refused(path, str(error)) from error
    refuse_not_finite(tensors, path)
    return tensors


def refuse_not_finite(tensors: Mapping[str, object], source: Path | str) -> None:
    """Refuses the weights of a network that diverged: it would say the same of every image.

    Args:
        tensors: By name, of any type; what is no tensor is passed over.
        source: The file or part of which the error speaks.

    Raises:
        WeightsError: A value is NaN or infinite.
    """
    wrong = [name for name, tensor in tensors.items() if not _is_finite(tensor)]
    if wrong:
        more = f" and {len(wrong) - 1} more tensors" if len(wrong) > 1 else ""
        msg = (
            f"cannot load weights: {source} (NaN or infinite values in {wrong[0]}{more}). "
            "Give weights that did not diverge, or get the file again."
        )
        raise WeightsError(msg)


def _is_finite(tensor: object) -> bool:
    if not isinstance(tensor, Tensor) or not (tensor.is_floating_point() or tensor.is_complex()):
        return True
    wide = tensor.float() if tensor.dtype.itemsize == 1 else tensor  # float8 has no `isfinite`
    return bool(torch.isfinite(wide).all())


def convert(path: Path, target: Path) -> None:
    """Writes the tensors of a weight file as safetensors: equal tensors give equal bytes.

    Raises:
        WeightsError: As `load_state_dict`.
        WriteError: It cannot be written.
    """
    tensors = load_state_dict(path)
    whole = {name: tensors[name].contiguous().clone() for name in sorted(tensors)}
    write_bytes(target, save(whole))


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
        WeightsError: A name is missing or too many, a shape differs, or a value is not finite.
    """
    check_fits(module, state_dict, source=source, ignored=ignored)
    used = {name: state_dict[name] for name in module.state_dict()}
    refuse_not_finite(used, source)
    module.load_state_dict(used, assign=assign)


def check_fits(
    module: nn.Module,
    state_dict: Mapping[str, Tensor],
    *,
    source: Path | str,
    ignored: Collection[str] = (),
) -> None:
    """Refuses a state dict that has not exactly the names and shapes of a module; see `fill`.

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


def _check_sha256(path: Path, expected: str) -> None:
    actual = sha256_of(path)
    if not actual.startswith(expected.lower()):
        msg = (
            f"cannot load weights: {path} (sha256 {actual[:12]}.., expected {expected[:12]}..). "
            "Download it again."
        )
        raise WeightsError(msg)


def _refused(path: Path, reason: str) -> WeightsError:
    if reason == HOLDS_CODE:
        return WeightsError(
            f"{path} {HOLDS_CODE}; not loaded. Get its tensors alone, as .safetensors or a plain "
            "state dict."
        )
    return WeightsError(
        f"cannot load weights: {path} (not a readable weight file: {reason}; "
        f"sha256 {sha256_of(path)[:12]}..). {how_to_get(path, 'Download it again.')}"
    )
