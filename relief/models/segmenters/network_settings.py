"""How a network is made, as plain values that travel with its weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser
from torch import nn

from relief.schema.errors import WeightsError

MakeNetwork = Callable[[int, int], nn.Module]
"""(Number of thing classes, number of regions) -> a network."""


@dataclass(frozen=True)
class NetworkSettings:
    """A network by its class and arguments, those of its parts included.

    Attributes:
        class_path: Of an `nn.Module` that Python can import.
        init_args: Its arguments but for the numbers of classes, nested plain values.
    """

    class_path: str
    init_args: Mapping[str, Any] = field(default_factory=dict)

    @staticmethod
    def of(known: Any) -> NetworkSettings | None:
        """Reads what a configuration or a checkpoint says; `None` where it says nothing.

        Raises:
            TypeError: It says something else.
        """
        if known is None:
            return None
        if isinstance(known, str):
            known = {"class_path": known}
        if not isinstance(known, Mapping) or not isinstance(known.get("class_path"), str):
            msg = "a network is its class_path and init_args"
            raise TypeError(msg)
        return NetworkSettings(known["class_path"], dict(known.get("init_args") or {}))

    def changed(self, arguments: Mapping[str, Any]) -> NetworkSettings:
        """Returns the same network with other values of some arguments."""
        return NetworkSettings(self.class_path, {**self.init_args, **arguments})

    def maker(
        self, source: object, otherwise: str = ", or name another: --model.init_args.network CLASS"
    ) -> MakeNetwork:
        """Makes the parts of the network and returns what makes it for some classes.

        Only classes are made, whatever the settings name: a file holds no calls.

        Args:
            source: The file of which an error speaks.
            otherwise: What a person may do but put the class where Python finds it.

        Raises:
            WeightsError: A class is not there, is no network, or takes other arguments.
        """
        given = {"class_path": self.class_path, "init_args": dict(self.init_args)}
        parser = ArgumentParser(exit_on_error=False)
        parser.add_argument("--network", type=MakeNetwork)
        try:
            for path in _class_paths(given):
                _require_class(path)
            made = parser.instantiate(parser.parse_object({"network": given}))
        except (ArgumentError, ImportError, AttributeError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split()).rstrip(".")
            msg = (
                f"cannot make the network of {source}: {reason}. Put its class where Python finds "
                f"it{otherwise}."
            )
            raise WeightsError(msg) from error
        network: MakeNetwork = made.network
        return network


def _class_paths(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if "class_path" in value:
            yield str(value["class_path"])
        for inner in value.values():
            yield from _class_paths(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _class_paths(inner)


def _require_class(path: str) -> None:
    if not isinstance(resolve_name(path), type):
        msg = f"{path} is no class"
        raise TypeError(msg)
