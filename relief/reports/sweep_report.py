"""`report.html` of a sweep: one file that needs nothing beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from relief.formats.files.atomic import write_text
from relief.reports.figures.heatmap import Heatmap, heatmap
from relief.reports.figures.line_figure import line_figure
from relief.reports.pages import page_templates
from relief.reports.tables.evaluation import first_few

_TEMPLATE = "sweep_report.html"
_CONNECTED, _DEPTH = "connected", "depth_gradient"
Row = Mapping[str, Any]


class SweepSection(Protocol):
    """One source of a sweep, such as `relief.studies.sweeps.sweep_findings.SourceFindings`."""

    @property
    def name(self) -> str:
        """Such as `k=80`."""
        ...

    @property
    def k(self) -> int:
        """Its clusters."""
        ...

    @property
    def rows(self) -> Sequence[Row]:
        """Its grid, best first."""
        ...

    @property
    def connected(self) -> Sequence[Row]:
        """Connected components at each area filter, smallest first."""
        ...

    @property
    def best(self) -> Row:
        """The best setting."""
        ...

    @property
    def baseline(self) -> Row:
        """Components as the grid has them."""
        ...

    @property
    def gains(self) -> tuple[float, float, float]:
        """Computes the gain of the best over the baseline: all, by the area filter, by edges."""
        ...


class _Sweep(Protocol):
    """Fits `relief.studies.sweeps.sweep.SweepResult`."""

    @property
    def headline(self) -> tuple[str, str]: ...
    @property
    def images(self) -> int: ...
    @property
    def sections(self) -> Sequence[SweepSection]: ...
    @property
    def failures(self) -> Sequence[str]: ...
    @property
    def ranked(self) -> Sequence[Mapping[str, Any]]: ...


def write_sweep_report(path: Path, title: str, sweep: _Sweep) -> None:
    """Writes the page; raises `WriteError`."""
    environment = page_templates()
    environment.filters["setting"] = setting_name
    text = environment.get_template(_TEMPLATE).render(
        title=title,
        sweep=sweep,
        notes=first_few(sweep.failures),
        heatmaps={section.name: _heatmaps(section) for section in sweep.sections},
        curves={section.name: _curves(section) for section in sweep.sections},
        by_k=_by_k(sweep.sections),
        true_instances=sweep.sections[0].best["true_instances_per_image"],
    )
    write_text(path, text)


def setting_name(row: Row) -> str:
    """A setting in a few characters."""
    if row["splitter"] == _CONNECTED:
        return f"components, ≥ {row['min_area_px']} px"
    if row["splitter"] == _DEPTH:
        return f"τ {_threshold(row)}, ≥ {row['min_area_px']} px"
    return f"{row['splitter'].rpartition('.')[2]} {row['arguments']}"


def _threshold(row: Row) -> str:
    """The gradient threshold, and whether depth was sharpened before."""
    arguments = json.loads(row.get("arguments") or "{}")
    suffix = ", sharpened" if arguments.get("sharpening") else ""
    return f"{row['gradient_threshold']:g}{suffix}"


def _heatmaps(section: SweepSection) -> list[Heatmap]:
    edges = [row for row in section.rows if row["splitter"] == _DEPTH]
    depths = list(dict.fromkeys(row["depth"] for row in edges))
    areas = sorted({int(row["min_area_px"]) for row in edges})
    maps = []
    for depth in depths:
        own = [row for row in edges if row["depth"] == depth]
        thresholds = {_threshold(row): float(row["gradient_threshold"]) for row in own}
        columns = [f"{area}" for area in areas]
        names = sorted(thresholds, key=lambda name: (thresholds[name], name))
        suffix = f", depth {depth}" if len(depths) > 1 else ""
        for figure, title in (("pq", "PQ"), ("pq_things", "PQ things")):
            values = {(_threshold(row), f"{row['min_area_px']}"): float(row[figure]) for row in own}
            components = {
                ("no edges", f"{row['min_area_px']}"): float(row[figure])
                for row in section.connected
            }
            shown = {**values, **{n: v for n, v in components.items() if n[1] in columns}}
            maps.append(heatmap(f"{title}{suffix}", shown, [*names, "no edges"], columns))
    return maps


def _curves(section: SweepSection) -> list[str]:
    """PQ of things and instances against the area filter, for edges and for components."""
    by_threshold: dict[str, list[Row]] = {}
    for row in section.rows:
        if row["splitter"] == _DEPTH:
            by_threshold.setdefault(f"τ {_threshold(row)}", []).append(row)
    widest = dict(sorted(by_threshold.items(), key=lambda item: -len(item[1]))[:4])
    lines: dict[str, Sequence[Row]] = {"no edges": section.connected, **widest}

    def points(figure: str) -> dict[str, list[tuple[float, float]]]:
        return {
            name: [(float(row["min_area_px"]), float(row[figure])) for row in rows]
            for name, rows in lines.items()
        }

    truth = ("ground truth", float(section.best["true_instances_per_image"]))
    return [
        line_figure(points("pq_things"), "area filter, px", "PQ things, %"),
        line_figure(points("instances_per_image"), "area filter, px", "instances an image", truth),
    ]


def _by_k(sections: Sequence[SweepSection]) -> str | None:
    """PQ against k, where there are several."""
    if len({section.k for section in sections}) < 2:
        return None
    names = {"pq": "PQ", "pq_stuff": "stuff", "pq_things": "things"}
    lines = {
        label: [(float(s.k), float(s.best[figure])) for s in sections]
        for figure, label in names.items()
    }
    lines["things, components"] = [(float(s.k), float(s.baseline["pq_things"])) for s in sections]
    return line_figure(lines, "clusters k", "PQ of the best setting, %")
