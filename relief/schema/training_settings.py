"""Which settings of a training decide its result, and which ones a training cannot have."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from relief.schema.determinants import without_free_arguments
from relief.schema.errors import UsageError

ROLES = ("model", "data")
# Of the trainer. How long it trains, how often it measures and what it writes is free. The number
# of processes is not, however it was asked for: it is compared by itself.
TRAINER = (
    *("precision", "plugins", "sync_batchnorm"),
    *("accumulate_grad_batches", "gradient_clip_val", "gradient_clip_algorithm"),
)
# Options of the trainer that begin anew, repeat or replace what the steps decide, as JSON with the
# values that leave it alone (1 is one batch, 1.0 all of them).
ORDER_OF_STEPS = {
    "max_epochs": ("null", "-1"),
    "limit_train_batches": ("null", "1.0"),
    "overfit_batches": ("0.0", "0"),
    "reload_dataloaders_every_n_epochs": ("0",),
    "use_distributed_sampler": ("false",),
    "fast_dev_run": ("false", "0"),
}
REORDERING_CALLBACKS = ("GradientAccumulationScheduler", "BatchSizeFinder")


def refuse_other_order(trainer: Mapping[str, Any]) -> None:
    """Refuses options with which the number of a batch would not decide its images.

    Args:
        trainer: Its resolved configuration, nested plain values.

    Raises:
        UsageError: With the option and what to give in its place.
    """
    given = [
        f"{name}={_shown(trainer[name])}"
        for name, neutral in ORDER_OF_STEPS.items()
        if name in trainer and json.dumps(trainer[name]) not in neutral
    ]
    callbacks: Any = trainer.get("callbacks") or []
    for part in callbacks if _is_list(callbacks) else [callbacks]:
        name = part["class_path"].rpartition(".")[-1]
        given += [f"callbacks {name}"] if name in REORDERING_CALLBACKS else []
    if given:
        msg = (
            f"trainer.{given[0]} changes which images a step sees. Leave it out: "
            "trainer.max_steps says how long to train, data.init_args.limit on how many images."
        )
        raise UsageError(msg)
    steps = trainer.get("max_steps")
    if steps is None or steps < 1:
        msg = f"trainer.max_steps={_shown(steps)}: nothing to train. Give --trainer.max_steps N."
        raise UsageError(msg)


def deciding_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what decides the weights, without what its parts declare free.

    Args:
        config: A resolved configuration of `train.py fit`, nested plain values.

    Raises:
        ImportError: A class path leads nowhere.
    """
    trainer = config.get("trainer") or {}
    parts: dict[str, Any] = {role: config[role] for role in ROLES if role in config}
    parts["trainer"] = {name: trainer[name] for name in TRAINER if name in trainer}
    deciding: dict[str, Any] = without_free_arguments(parts)
    return deciding


def training_differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Lists what differs from the settings a training was begun with, for people.

    What only one of them knows is not compared: another version may know more, and where another
    part is chosen its class says so.

    Args:
        before: What decides the weights, nested plain values.
        after: The same of another run.

    Returns:
        Such as `model.init_args.seed=0, this run has 1`.
    """
    return [
        f"{name}={_shown(old)}, this run has {_shown(new)}"
        for name, old, new in _changes(before, after, "")
    ]


def _changes(old: Any, new: Any, name: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in old:
            if key in new:
                yield from _changes(old[key], new[key], f"{name}.{key}" if name else str(key))
    elif _is_list(old) and _is_list(new) and len(old) == len(new):
        for number, pair in enumerate(zip(old, new, strict=True)):
            yield from _changes(*pair, f"{name}.{number}")
    elif old != new:
        yield name, old, new


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _shown(value: Any, max_characters: int = 60) -> str:
    text = json.dumps(value).strip('"')
    return text if len(text) <= max_characters else text[: max_characters - 3] + "..."
