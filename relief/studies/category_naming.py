"""The ids of a label store, or what an assignment or names by hand make of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from relief.formats.label_store import LabelStore
from relief.formats.reader import LabelReader
from relief.schema.categories import Category, class_categories, cluster_categories
from relief.schema.errors import UsageError
from relief.schema.label_spaces import VOID, Label, LabelSpace, label_space
from relief.schema.manifest import NAMES_BY_HAND
from relief.schema.names import ClusterNames
from relief.studies.scoring.assigned_labels import AssignedLabels
from relief.studies.scoring.label_sources import read_assignment


class NamedLabels(NamedTuple):
    """Labels and their categories.

    Attributes:
        labels: In the ids of `categories`.
        categories: In order of id.
        space: The classes, where the ids are classes.
        supervision: What the names depended on.
    """

    labels: LabelReader
    categories: Sequence[Category]
    space: LabelSpace | None = None
    supervision: tuple[str, ...] = ()


def as_they_are(store: LabelStore, labels: LabelReader, space: str | None) -> NamedLabels:
    """Returns labels in the ids of their store: the classes of its manifest, or clusters.

    Raises:
        UsageError: They are of other classes than `space`.
    """
    classes = store.manifest.classes
    if classes is None:
        things = labels.thing_ids or ()
        return NamedLabels(labels, cluster_categories(labels.num_categories, things))
    if space not in (None, classes):
        msg = f"labels are of other classes: {store.out} ({classes}, not {space})."
        raise UsageError(f"{msg} Leave --label_space out.")
    own = label_space(classes)
    return NamedLabels(labels, class_categories(own), own)


def by_assignment(labels: LabelReader, file: str, name: str, space: LabelSpace) -> NamedLabels:
    """Returns labels of the classes that an assignment gives clusters.

    Raises:
        UsageError: It cannot be read, or is of other labels.
    """
    classes = read_assignment(Path(file), name)
    if len(classes) != labels.num_categories:
        msg = (
            f"assignment is of other labels: {file} ({len(classes)} categories, "
            f"the labels have {labels.num_categories}). Make it with evaluate.py labels."
        )
        raise UsageError(msg)
    supervision = (f"classes assigned by {name} vote of ground truth",)
    assigned = AssignedLabels(labels, classes, space)
    return NamedLabels(assigned, class_categories(space), space, supervision)


def by_hand(labels: LabelReader, file: str, space: LabelSpace | None) -> NamedLabels:
    """Returns labels in which clusters of one name are one category.

    Args:
        labels: Of clusters.
        file: A `names.yaml`. Clusters without a name stay on their own, behind the named ones.
        space: Where it is given, names are those of its classes; clusters without one are void.

    Raises:
        UsageError: The file cannot be read, names clusters that there are not, or no class of
            the space.
    """
    names = ClusterNames.read(Path(file))
    named, count = names.by_cluster, labels.num_categories
    if named and max(named) >= count:
        msg = f"names of other labels: {file} (cluster {max(named)}, there are {count})."
        raise UsageError(f"{msg} Name clusters of these labels.")
    supervision = (NAMES_BY_HAND,)
    if space is not None:
        if unknown := [entry.name for entry in names.entries if entry.name not in space.names]:
            msg = f"no class of {space.name}: {unknown[0]} in {file}."
            raise UsageError(f"{msg} Use {', '.join(space.names)}.")
        classes = [
            space.names.index(named[i]) if i in named else VOID  # what has no name has no class
            for i in range(count)
        ]
        assigned = AssignedLabels(labels, classes, space)
        return NamedLabels(assigned, class_categories(space), space, supervision)
    before = cluster_categories(count, labels.thing_ids or ())
    groups = [(entry.name, list(entry.clusters), entry.thing) for entry in names.entries]
    groups += [(before[i]["name"], [i], None) for i in range(count) if i not in named]
    members = [[before[i] for i in clusters] for _, clusters, _ in groups]
    things = [
        any(one["isthing"] for one in of) if thing is None else thing
        for of, (_, _, thing) in zip(members, groups, strict=True)
    ]
    labels_of = tuple(
        Label(i, name, (of[0]["color"][0], of[0]["color"][1], of[0]["color"][2]), is_thing=thing)
        for i, (of, (name, _, _), thing) in enumerate(zip(members, groups, things, strict=True))
    )
    merged = LabelSpace("names", labels_of)
    category_of = {cluster: i for i, (_, of, _) in enumerate(groups) for cluster in of}
    assigned = AssignedLabels(labels, [category_of[i] for i in range(count)], merged)
    return NamedLabels(assigned, class_categories(merged), None, supervision)
