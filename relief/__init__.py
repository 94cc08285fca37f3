"""Panoptic labels for street images without annotation.

`relief.load(recipe)` makes a labeller, `relief.open(OUT)` reads labels, `relief.panoptic_quality`
measures arrays (docs/python.md). Nothing is imported before one of them is asked for.
"""

_CALLED = {
    "load": ("relief.notebooks.labeller", "load"),
    "open": ("relief.notebooks.labels", "open_labels"),
    "panoptic_quality": ("relief.notebooks.array_figures", "panoptic_quality"),
}


def __getattr__(name: str) -> object:
    if name not in _CALLED:
        raise AttributeError(f"module 'relief' has no attribute {name!r}")
    module, function = _CALLED[name]
    found: object = getattr(__import__(module, fromlist=[function]), function)
    return found
