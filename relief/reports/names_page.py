"""A page on which a person names clusters: their pictures, and a `names.yaml` to save."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from relief.formats.files.atomic import write_text
from relief.processes.progress import with_progress
from relief.reports.figures.cluster_gallery import PatchFinder, gallery_entries
from relief.reports.labelled_images import LabelledImages, PageRequest
from relief.reports.pages import page_templates
from relief.reports.store_figures import StoreFigures
from relief.schema.errors import UsageError
from relief.schema.label_spaces import SpaceName, label_space
from relief.schema.names import ClusterNames
from relief.schema.selection import evenly_spaced

PAGE = "names.html"


@dataclass(frozen=True)
class NamesRequest(PageRequest):
    """Makes a page on which a person names clusters.

    Args:
        labels: The label store.
        photographs: The folder that was labelled.
        out: Where names.html goes.
        label_space: The classes whose names are offered.
        names: A names.yaml to begin with.
        images: How many images the pictures of clusters are from, evenly spaced.
    """

    label_space: SpaceName = "cityscapes19"
    names: str | None = None
    images: int = 200

    def write(self) -> Path:
        """Writes the page; returns its path.

        Raises:
            UsageError: There is no store, its ids have names, or the names cannot be read.
            ReadError: Labels or a photograph cannot be read.
            WriteError: The page cannot be written.
        """
        return write_names_page(self)


def write_names_page(request: NamesRequest) -> Path:
    """Writes the page, as `NamesRequest.write`."""
    images = LabelledImages(request.labels, request.photographs)
    store = images.store
    if store.manifest.classes is not None:
        msg = f"labels have names: {store.out} ({store.manifest.classes}). Name clusters."
        raise UsageError(msg)
    names = ClusterNames.read(Path(request.names)) if request.names else ClusterNames(())
    keys = evenly_spaced(store.keys, request.images)
    figures = StoreFigures(store.num_categories, store.manifest.is_thing)
    finder = PatchFinder(store.num_categories)
    for key in with_progress(keys, "clusters", len(keys)):
        figures.add(store.panoptic(key))
        finder.add(key, store.semantic(key))
    groups = store.manifest.groups
    clusters = gallery_entries(
        finder, images.photograph, store.semantic, images.categories, groups, figures
    )
    shares = figures.shares.tolist()
    clusters.sort(key=lambda entry: (-shares[entry["id"]], entry["id"]))
    space = label_space(request.label_space)
    given = {
        cluster: {"name": entry.name, "thing": entry.thing}
        for entry in names.entries
        for cluster in entry.clusters
    }
    things = dict(zip(space.names, (label.is_thing for label in space.labels), strict=True))
    page = page_templates().get_template("names_page.html")
    text = page.render(
        title=store.out.name,
        clusters=clusters,
        shares=[shares[entry["id"]] for entry in clusters],
        class_names=space.names,
        given=given,
        class_things=things,
        run=store.manifest.settings_digest()[:16],
    )
    write_text(request.folder / PAGE, text)
    return request.folder / PAGE
