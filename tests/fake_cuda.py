"""A CUDA device that computes on the CPU and counts when the host would have to wait for it.

Inside `FakeCuda()` the device `cuda` exists: tensors on it say `cuda:0`, refuse `numpy()` and
tensors of the CPU beside them where CUDA does, and count

- waits: the host needs a value or a shape that only the device knows (`item`, `bool`, `nonzero`,
  masks as indices, copies back), which empties the queue of the device;
- copies: from the host to the device.

Below autograd they are `meta` tensors, for which PyTorch needs no driver; what they hold is beside
them on the CPU. Speed, streams, and what kernels of CUDA round otherwise are not shown.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

ROOT = f"{Path(__file__).parents[1]}/"
DEVICE, BELOW = torch.device("cuda", 0), torch.device("meta")
SAID = {
    torch.Tensor.device.__get__: DEVICE,
    torch.Tensor.is_cuda.__get__: True,
    torch.Tensor.is_meta.__get__: False,
}
WAITING = {
    *("_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero"),
    *("_unique", "_unique2", "unique_dim", "unique_consecutive", "unique_dim_consecutive"),
    *("bincount", "histc", "repeat_interleave"),
}
COPYING = {"copy_", "_to_copy"}
INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index"}


class DeviceTensor(Tensor):
    """A tensor that says it is on `cuda:0`; `held` is what it holds, on the CPU."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> DeviceTensor:
        made = torch.Tensor._make_wrapper_subclass(
            cls, held.size(), strides=held.stride(), storage_offset=held.storage_offset(),
            dtype=held.dtype, layout=held.layout, device=BELOW, requires_grad=False,
        )  # fmt: skip
        made.held = held
        return made

    def __init__(self, held: Tensor) -> None:
        """Everything is done by `__new__`."""

    def __repr__(self) -> str:
        return f"DeviceTensor({self.held!r})"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):  # type: ignore[override]
        del types
        return FakeCuda.active.run(func, args, kwargs or {})

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):  # type: ignore[override]
        del types
        return FakeCuda.active.call(func, args, kwargs or {})


def is_device(value: Any) -> bool:
    """Whether an argument names the device."""
    if isinstance(value, torch.device):
        return value.type in (DEVICE.type, BELOW.type)
    return isinstance(value, str) and value.partition(":")[0] == DEVICE.type


def on(device: str, value: Any) -> Any:
    """Brings the tensors of a batch, a list or a record to a device."""
    if isinstance(value, Tensor):
        return value.to(device)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return dataclasses.replace(value, **on(device, fields))
    if not isinstance(value, dict | list | tuple):
        return value
    return tree_map(lambda leaf: on(device, leaf), value)


class FakeCuda(TorchFunctionMode):
    """The device while it exists.

    Attributes:
        waits: How often the host waits for the device, by line of the house.
        copies: From the host to the device, by line of the house.

    Example:
        >>> with FakeCuda() as device:
        ...     total = torch.ones(3, device="cuda").sum()
        ...     assert total.item() == 3
        >>> device.waits.total(), device.copies.total()
        (1, 0)
    """

    active: FakeCuda

    def __init__(self) -> None:
        super().__init__()
        self.waits: collections.Counter[str] = collections.Counter()
        self.copies: collections.Counter[str] = collections.Counter()
        self._below = _Below()
        self._patches = contextlib.ExitStack()

    def __enter__(self) -> FakeCuda:
        FakeCuda.active = self
        patches = self._patches
        patches.enter_context(mock.patch.object(torch.cuda, "current_device", lambda: 0))
        patches.enter_context(mock.patch.object(torch.cuda, "Event", self._event))
        patches.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", "User provided device_type of 'cuda'")
        patches.enter_context(self._below)
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._patches.close()

    def _event(self, **options: Any) -> Any:
        """An event that is waited for in the line that asks."""
        del options
        return SimpleNamespace(
            record=lambda: None, synchronize=lambda: self.waits.update([_line()])
        )

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[override]
        del types
        return self.call(func, args, kwargs or {})

    def call(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What Python sees of the device, before autograd."""
        if func in (torch.device, torch._C._nn._parse_to):  # devices as they are called
            return func(*args, **kwargs)
        args = tuple(BELOW if is_device(x) else x for x in args)
        kwargs = {name: BELOW if is_device(x) else x for name, x in kwargs.items()}
        own = args[0] if args else None
        if isinstance(own, DeviceTensor):
            if func in SAID:
                return SAID[func]
            if func in (torch.Tensor.numpy, torch.Tensor.__array__):
                msg = f"cannot convert a tensor on {DEVICE} to numpy: {_line()}"
                raise TypeError(msg)
            if func is torch.Tensor.tolist:
                self.waits[_line()] += 1
                return own.detach().held.tolist()
            if func is torch.Tensor.pin_memory:
                msg = f"only a tensor on the CPU can be pinned: {_line()}"
                raise RuntimeError(msg)
        if func is torch.Tensor.pin_memory:
            return own
        with torch._C.DisableTorchFunctionSubclass():
            if func is torch.Tensor.cuda:
                return own.to(BELOW)
            if func in (torch.tensor, torch.as_tensor) and not isinstance(own, DeviceTensor):
                device = kwargs.pop("device", "cpu")
                return func(*args, **kwargs, device="cpu").to(device)
            if func is torch.Tensor.new_tensor and isinstance(own, DeviceTensor):
                kwargs = {"dtype": own.dtype, **kwargs}
                device = kwargs.pop("device", BELOW)
                return torch.tensor(*args[1:], **kwargs, device="cpu").to(device)
            if isinstance(own, DeviceTensor):
                if func is torch.Tensor.__getitem__:
                    return func(own, _where(args[1]))
                if func is torch.Tensor.__setitem__:
                    value = args[2]
                    if not isinstance(value, Tensor):  # as CUDA: it stays on the CPU
                        value = torch.tensor(value, dtype=own.dtype, device="cpu")
                    return func(own, _where(args[1]), value)
            return func(*args, **kwargs)

    def run(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Computes one operation on the CPU as the device would, or refuses it as that would."""
        name = func._opname
        leaves = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        ours = [x for x in leaves if isinstance(x, DeviceTensor)]
        device = kwargs.get("device")
        stays = bool(ours) and device is None
        if ours and len(ours) < len(leaves):
            self._refuse_mixture(name, args, leaves)
        self._count(name, args, kwargs, ours)
        if (ours or is_device(device)) and _has_generator(args, kwargs):
            msg = f"a generator of the CPU draws on {DEVICE} in {name} at {_line()}"
            raise RuntimeError(msg)
        held_args, held_kwargs = tree_map(_held, (args, kwargs))
        if device is not None:
            held_kwargs["device"] = torch.device("cpu")
            held_kwargs.pop("pin_memory", None)
        result = func(*held_args, **held_kwargs)
        own = {id(x.held): x for x in ours}
        if name == "copy_" and not isinstance(args[0], DeviceTensor):
            return args[0]
        if not (stays or is_device(device)):
            return result
        return tree_map(lambda x: own.get(id(x)) if id(x) in own else _on_device(x), result)

    def _count(self, name: str, args: Any, kwargs: dict[str, Any], ours: list[Any]) -> None:
        if name in COPYING:
            goes, comes = _copy_directions(name, args, kwargs)
            is_pinned_copy = bool(kwargs.get("non_blocking")) or True in args[2:3]
            if comes and not is_pinned_copy:
                self.waits[_line()] += 1
            if goes:
                self.copies[_line()] += 1
            return
        if not ours:
            return
        if name in INDEXING:
            where = [x for x in args[1] if isinstance(x, Tensor)]
            self.copies.update(_line() for x in where if not isinstance(x, DeviceTensor))
            by_mask = any(x.dtype in (torch.bool, torch.uint8) for x in where)
            fills = (
                name != "index" and args[2].numel() == 1 and not isinstance(args[2], DeviceTensor)
            )
            if by_mask and not fills:
                self.waits[_line()] += 1
        elif name in WAITING:
            self.waits[_line()] += 1

    def _refuse_mixture(self, name: str, args: tuple[Any, ...], leaves: list[Tensor]) -> None:
        """Raises where the CPU and the device meet in a way that CUDA does not know."""
        first_is_ours = isinstance(args[0], DeviceTensor)
        if name in INDEXING:  # indices may come from the CPU, values only as one number
            hosts = [x for x in args[2:3] if isinstance(x, Tensor)]
            allowed = first_is_ours
        else:
            hosts = leaves
            allowed = first_is_ours or not name.endswith("_")
        numbers = all(x.dim() == 0 for x in hosts if not isinstance(x, DeviceTensor))
        allowed = (allowed and numbers) or name in COPYING
        if not allowed:
            told = ", ".join(
                f"{'cuda:0' if isinstance(x, DeviceTensor) else 'cpu'} {tuple(x.shape)}"
                for x in leaves
            )
            msg = f"tensors of two devices meet in {name}: {told} at {_line()}"
            raise RuntimeError(msg)


class _Below(TorchDispatchMode):
    """Operations that make tensors on the device, or move them there."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[override]
        del types
        kwargs = kwargs or {}
        reaches = is_device(kwargs.get("device"))
        reaches |= any(isinstance(x, DeviceTensor) for x in tree_leaves((args, kwargs)))
        return FakeCuda.active.run(func, args, kwargs) if reaches else func(*args, **kwargs)


def _where(index: Any) -> Any:
    """Makes tensors of the lists in an index."""
    if isinstance(index, tuple):
        return tuple(_where(part) for part in index)
    is_list = isinstance(index, list | range)
    return torch.tensor(list(index), device="cpu") if is_list else index


def _held(value: Any) -> Any:
    return value.held if isinstance(value, DeviceTensor) else value


def _on_device(value: Any) -> Any:
    return DeviceTensor(value) if isinstance(value, Tensor) else value


def _has_generator(args: Any, kwargs: dict[str, Any]) -> bool:
    return any(isinstance(x, torch.Generator) for x in (*args, *kwargs.values()))


def _copy_directions(name: str, args: Any, kwargs: dict[str, Any]) -> tuple[bool, bool]:
    """Whether a copy goes from the host to the device, and whether one comes back."""
    if name == "copy_":
        to, of = (isinstance(x, DeviceTensor) for x in args[:2])
    else:
        of = isinstance(args[0], DeviceTensor)
        to = of if kwargs.get("device") is None else is_device(kwargs["device"])
    return to and not of, of and not to


def _line() -> str:
    """The innermost line of the house that is running, such as `relief/ops/kmeans.py:12`."""
    frame = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(ROOT) and "/.venv/" not in file and file != __file__:
            return f"{file[len(ROOT) :]}:{frame.f_lineno}"
        frame = frame.f_back
    return "?"
