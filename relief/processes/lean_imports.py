"""Imports of libraries without what they load beside themselves and nobody here asked for.

Lightning, torchvision and timm load torch's compiler (5 s of processor time) for a name or two of
it; torchmetrics loads transformers, torchvision, scipy.signal and matplotlib for figures of texts,
sounds and pictures.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

COMPILER = "torch._dynamo"
# What torchmetrics would load for metrics that nothing in Relief computes.
UNUSED = frozenset({"matplotlib", "scipy", "torchvision", "transformers"})


@contextmanager
def late_compiler() -> Iterator[None]:
    """Lets libraries be imported without torch's compiler, which loads when something compiles.

    Three names of it stand in: `disable` (torch's own late decorator), `OptimizedModule` (a class
    whose instances are those of the real one) and `utils.is_compile_supported`. Nothing stands in
    once the compiler is there, or after the block.
    """
    if COMPILER in sys.modules:
        yield
        return
    compiler, parts = ModuleType(COMPILER), ModuleType(f"{COMPILER}.utils")
    vars(compiler).update(__path__=[], disable=_disable, OptimizedModule=_Compiled, utils=parts)
    vars(parts).update(is_compile_supported=_is_compile_supported)
    with _standing({compiler.__name__: compiler, parts.__name__: parts}):
        yield


@contextmanager
def lean_torchmetrics() -> Iterator[None]:
    """Lets torchmetrics be imported without what its metrics of texts, sounds and pictures need.

    These metrics stay away for as long as the process lives, so it is for the scripts alone.
    """
    if "torchmetrics" in sys.modules:
        yield
        return
    requirement: Any = importlib.import_module("lightning_utilities.core.imports").RequirementCache
    check = requirement._check_available
    requirement._check_available = _refusing(check)
    signal = ModuleType("scipy.signal")
    vars(signal).update(hamming=None)  # torchmetrics adds it where it is missing
    stand_ins = {} if signal.__name__ in sys.modules else {signal.__name__: signal}
    try:
        with late_compiler(), _standing(stand_ins):
            yield
    finally:
        requirement._check_available = check


@contextmanager
def _standing(modules: dict[str, ModuleType]) -> Iterator[None]:
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]


def _refusing(check: Callable[[Any], None]) -> Callable[[Any], None]:
    def check_available(requirement: Any) -> None:
        if str(requirement.requirement).partition(">")[0] in UNUSED:
            requirement.available, requirement.message = False, "left out by Relief"
        else:
            check(requirement)

    return check_available


def _disable(function: Any = None, recursive: bool = True, **_: Any) -> Any:
    return importlib.import_module("torch")._disable_dynamo(function, recursive)


def _is_compile_supported(device: str) -> bool:
    return bool(importlib.import_module(f"{COMPILER}.utils").is_compile_supported(device))


class _CompiledModules(type):
    def __instancecheck__(cls, instance: object) -> bool:
        compiler = sys.modules.get(COMPILER)
        real = getattr(compiler, "OptimizedModule", cls)
        return real is not cls and isinstance(instance, real)


class _Compiled(metaclass=_CompiledModules):
    """Stands for torch's class of compiled modules."""
