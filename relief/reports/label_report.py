"""`report.html` of a labelling run: one file that needs nothing beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jinja2 import Template

from relief.formats.files.atomic import write_text
from relief.formats.reader import LabelReader
from relief.ops.panoptic import count_instances
from relief.processes.progress import with_progress
from relief.reports.figures.cluster_gallery import PatchFinder, gallery_entries
from relief.reports.figures.example_panels import DepthEdges, Panel, PanelPainter, ReportSources
from relief.reports.figures.instance_histogram import instance_histogram
from relief.reports.figures.overlay import palette_of, principal_axes
from relief.reports.figures.pictures import data_address
from relief.reports.health import LabelHealth, write_health
from relief.reports.level_explorer import explorer_of
from relief.reports.pages import page_templates
from relief.reports.store_figures import StoreFigures
from relief.reports.tables.quality import class_table, quality_table
from relief.reports.tables.summary_cards import instances_sentence, summary_cards
from relief.schema.categories import Category
from relief.schema.label_spaces import LabelSpace, thing_mask
from relief.schema.selection import evenly_spaced

REPORT = "report.html"
_TEMPLATE = "label_report.html"


@dataclass(frozen=True)
class RunDescription:
    """The description of a run for its readers.

    Attributes:
        title: Its name.
        facts: Pairs such as ("Clusters", "80"), in order.
        supervision: What the labels depended on; empty: no ground truth.
        notes: Warnings for the top of the page.
        decisions: How sure it is which clusters are things, one sentence each.
        timings: Pairs of a step and its seconds.
        ids_name: What the ids are: `Clusters` or `Classes`.
    """

    title: str
    facts: Sequence[tuple[str, str]] = ()
    supervision: Sequence[str] = ()
    notes: Sequence[str] = ()
    decisions: Sequence[str] = ()
    timings: Sequence[tuple[str, float]] = ()
    ids_name: str = "Clusters"


@dataclass(frozen=True)
class ReportExtent:
    """How much of the images is looked at.

    Attributes:
        num_examples: Images shown in full.
        num_measured: Images that figures and cluster patches are from, evenly spaced.
    """

    num_examples: int = 8
    num_measured: int = 200


def write_label_report(
    out: Path,
    labels: LabelReader,
    categories: Sequence[Category],
    sources: ReportSources,
    run: RunDescription,
    *,
    groups: Sequence[int] | None = None,
    edges: DepthEdges | None = None,
    space: LabelSpace | None = None,
    metrics: Mapping[str, Mapping[str, Any]] | None = None,
    class_of_category: Sequence[int] | None = None,
    extent: ReportExtent | None = None,
) -> Path:
    """Writes OUT/report.html, and OUT/health.json beside it.

    Args:
        out: The folder.
        labels: The label store.
        categories: Names, colours and kinds of all its ids, in order of id.
        sources: Images, and what else can be looked up by key.
        run: What was done.
        groups: Group of each id, -1 for stuff.
        edges: How depth was cut.
        space: The classes of the ground truth.
        metrics: As in `metrics.json`, in percent: figures by `protocol/assignment`; `per_class`
            holds `pq`, `sq`, `rq` and `iou` by class name.
        class_of_category: A matching from ground truth, to show labels in class colours too.
        extent: How much to look at.

    Returns:
        The path of the page.

    Raises:
        ReadError: Labels or an image cannot be read.
        WriteError: The page cannot be written.
    """
    extent = extent or ReportExtent()
    is_thing = thing_mask([c["id"] for c in categories if c["isthing"]], len(categories))
    measured = evenly_spaced(labels.keys, extent.num_measured)
    health = LabelHealth(is_thing)
    figures, finder = _look_at(measured, labels, sources, health)
    painter = PanelPainter(
        palette=palette_of([category["color"] for category in categories]),
        is_thing=is_thing,
        edges=edges,
        groups=None if groups is None else torch.tensor(groups, dtype=torch.int64),
        space=space,
        class_palette=palette_of(space.colors) if space else None,
        class_of_category=class_of_category,
        ids_name=run.ids_name,
    )
    shown = evenly_spaced(labels.keys, extent.num_examples)
    examples = _examples(shown, labels, sources, painter)
    for key in shown:
        health.add_depth(sources.depth(key) if sources.depth else None)
    table = quality_table(metrics)
    page = (
        page_templates()
        .get_template(_TEMPLATE)
        .render(
            run=run,
            health=write_health(out, health),
            cards=summary_cards(labels, figures, metrics),
            examples=examples,
            explorer=explorer_of(shown, labels, sources, edges, groups),
            columns=_columns(max((len(one["panels"]) for one in examples), default=1)),
            num_images=len(labels.keys),
            num_looked_at=len(measured),
            has_truth=bool(figures.true_instances_per_image),
            legend=_legend(space) if figures.true_instances_per_image else [],
            quality=table,
            per_class=class_table(metrics, space),
            instances_sentence=instances_sentence(figures),
            histogram=instance_histogram(
                figures.instances_per_image, figures.true_instances_per_image
            ),
            gallery=gallery_entries(
                finder, sources.image, labels.semantic, categories, groups, figures
            ),
            unseen=", ".join(c["name"] for c in categories if not figures.images_with[c["id"]]),
        )
    )
    path = Path(out) / REPORT
    write_text(path, page)
    return path


def _template() -> Template:
    return page_templates().get_template(_TEMPLATE)


def _look_at(
    keys: Sequence[str], labels: LabelReader, sources: ReportSources, health: LabelHealth
) -> tuple[StoreFigures, PatchFinder]:
    is_thing = health.is_thing
    figures = StoreFigures(len(is_thing), is_thing)
    finder = PatchFinder(len(is_thing))
    for key in with_progress(keys, "report: figures", len(keys)):
        panoptic, semantic = labels.panoptic(key), labels.semantic(key)
        figures.add(panoptic, sources.target_of(key))
        finder.add(key, semantic)
        health.add(panoptic, semantic, sources.confidence(key) if sources.confidence else None)
    return figures, finder


def _examples(
    keys: Sequence[str], labels: LabelReader, sources: ReportSources, painter: PanelPainter
) -> list[dict[str, Any]]:
    features = {key: sources.features(key) if sources.features else None for key in keys}
    maps = [one for one in features.values() if one is not None]
    if maps:
        painter = replace(painter, feature_axes=principal_axes(maps))
    examples = []
    for key in with_progress(keys, "report: examples", len(keys)):
        panoptic = labels.panoptic(key)
        panels = painter.panels(
            sources.image(key),
            labels.semantic(key),
            panoptic,
            features=features[key],
            depth=sources.depth(key) if sources.depth else None,
            target=sources.target_of(key),
        )
        about = f"{count_instances(panoptic)} instances"
        examples.append({"key": key, "about": about, "panels": [_shown(one) for one in panels]})
    return examples


def _columns(panels: int) -> int:
    """Three or four pictures in a row, whichever leaves fewer places empty."""
    return 4 if panels > 6 and -panels % 4 < -panels % 3 else min(3, panels)


def _shown(panel: Panel) -> dict[str, Any]:
    height, width = panel.picture.shape[:2]
    source = data_address(panel.picture)
    return {
        "name": panel.name,
        "hint": panel.hint,
        "src": source,
        "width": width,
        "height": height,
    }


def _legend(space: LabelSpace | None) -> list[dict[str, Any]]:
    if space is None:
        return []
    return [{"name": label.name, "color": label.color} for label in space.labels]
