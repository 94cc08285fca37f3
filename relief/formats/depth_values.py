"""The numbers in a depth file as they are stored, before anybody says what they mean."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from relief.formats.label_png import has_gray_palette
from relief.schema.errors import ReadError


def stored_values(path: str) -> tuple[NDArray[Any], float]:
    """Reads a `.npy` or gray `.png` file.

    Returns:
        (h, w) of the file's own type, and what counts as 1: the largest number that a picture of
        this bit depth can hold; 1.0 for arrays.

    Raises:
        ReadError: It is not one readable map of numbers.
    """
    values, one = _picture(path) if path.lower().endswith(".png") else (_array(path), 1.0)
    squeezed = values.reshape(values.shape[-2:]) if _is_stack_of_one(values) else values
    if squeezed.ndim == 3 and squeezed.shape[-1] == 1:
        squeezed = squeezed[..., 0]
    if squeezed.ndim != 2 or squeezed.size == 0:
        shape = "x".join(map(str, values.shape))
        msg = f"depth must be one height x width map: {path} (is {shape}). Make the file again."
        raise ReadError(msg)
    return squeezed, one


def are(values: NDArray[Any], wanted: float) -> NDArray[np.bool_]:
    """Where values equal a number as their type can hold it; NaN equals NaN."""
    if np.isnan(wanted):
        return np.isnan(values)
    held = values.dtype.type(wanted) if values.dtype.kind == "f" else wanted
    return np.asarray(values == held)


def filled(values: NDArray[Any], is_unknown: NDArray[np.bool_], path: str) -> NDArray[Any]:
    """Unknown pixels take the value of the nearest known one.

    Args:
        values: (h, w).
        is_unknown: (h, w).
        path: The file, for the message.

    Raises:
        ReadError: No pixel is known.
    """
    if is_unknown.all():
        msg = f"depth is unknown at every pixel: {path}. Make the file again."
        raise ReadError(msg)
    if not is_unknown.any():
        return values
    nearest = ndimage.distance_transform_edt(
        is_unknown, return_distances=False, return_indices=True
    )
    return values[tuple(nearest)]


def _is_stack_of_one(values: NDArray[Any]) -> bool:
    return values.ndim > 2 and all(length == 1 for length in values.shape[:-2])


def _array(path: str) -> NDArray[Any]:
    try:
        # Mapped first: a header that promises more than the file holds takes no memory.
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        values = np.array(mapped) if isinstance(mapped, np.ndarray) else mapped
    except MemoryError:
        raise
    except Exception as error:  # an archive under the name of an array has errors of its own
        msg = f"cannot read depth: {path} (not a readable .npy file). Make the file again."
        raise ReadError(msg) from error
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iuf":
        msg = f"depth must be an array of numbers: {path}. Make the file again."
        raise ReadError(msg)
    return values


def _picture(path: str) -> tuple[NDArray[Any], float]:
    try:
        with Image.open(path) as picture:
            is_packed = picture.mode == "1" or (picture.mode == "P" and has_gray_palette(picture))
            shown = picture.convert("L") if is_packed else picture
            values, mode = np.asarray(shown), shown.mode
    except MemoryError:
        raise
    except Exception as error:
        msg = f"cannot read depth: {path} (not a readable .png file). Make the file again."
        raise ReadError(msg) from error
    if mode not in {"L", "I;16", "I;16B", "I"}:
        msg = f"depth must be a gray 8- or 16-bit .png: {path} (is {mode}). Make the file again."
        raise ReadError(msg)
    return values, 255.0 if mode == "L" else 65535.0
