from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch

from relief.reports.figures.example_panels import DepthEdges, ReportSources
from relief.reports.label_report import ReportExtent, RunDescription, write_label_report
from relief.schema.categories import cluster_categories
from relief.schema.label_spaces import CITYSCAPES_19

SIZE = (32, 64)
METRICS = {
    "panopticapi/majority": {
        "pq": 26.74,
        "per_class": {"car": {"pq": 31.5, "sq": 70.0, "rq": 45.0}},
    }
}


class Labels:
    num_categories = 3
    thing_ids = (1,)

    def __init__(self, *keys: str) -> None:
        self.keys = sorted(keys)

    def semantic(self, key: str) -> torch.Tensor:
        semantic = torch.zeros(SIZE, dtype=torch.int64)
        semantic[:, 32:] = 1
        return semantic

    def panoptic(self, key: str) -> torch.Tensor:
        semantic = self.semantic(key)
        instance = semantic.clone()
        instance[:16] = 0
        return torch.stack((semantic, instance), dim=-1)


def image(key: str) -> torch.Tensor:
    return torch.full((3, *SIZE), 90, dtype=torch.uint8)


def target(key: str) -> torch.Tensor:
    return torch.full((*SIZE, 2), 13)


class Page(HTMLParser):
    """Checks that tags close in order, and collects what a reader and a browser get."""

    EMPTY = ("meta", "img", "br", "input")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [value for name, value in attrs if name in ("src", "href")]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def write(out: Path, labels: Labels, run: RunDescription, **settings) -> Page:
    categories = cluster_categories(3, (1,), {1: "car"})
    sources = settings.pop("sources", ReportSources(image))
    path = write_label_report(out, labels, categories, sources, run, **settings)
    assert path == out / "report.html"
    return Page(path.read_text(encoding="utf-8"))


def test_the_page_needs_nothing_beside_it(tmp_path: Path) -> None:
    page = write(tmp_path, Labels("a", "b/c"), RunDescription("toy"))
    assert all(source.startswith(("data:image/jpeg;base64,", "#")) for source in page.sources)
    text = (tmp_path / "report.html").read_text()
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", text)
    assert {path.name for path in tmp_path.iterdir()} == {"report.html", "health.json"}
    assert "health.json" not in text
    assert '<span class="red">red</span> ' in text or '<span class="green">green</span> ' in text


def test_what_was_done_and_found(tmp_path: Path) -> None:
    run = RunDescription(
        "toy, val",
        facts=[("Splitting", "depth gradient above 0.1")],
        notes=["These weights know drawn scenes only."],
        timings=[("labels", 12.3)],
    )
    page = write(
        tmp_path,
        Labels("a", "b/c"),
        run,
        sources=ReportSources(image, lambda key: torch.rand(1, 16, 32), None, target),
        groups=(-1, 0, -1),
        edges=DepthEdges(0.1),
        space=CITYSCAPES_19,
        metrics=METRICS,
        class_of_category=(0, 13, -1),
    )
    for expected in (
        "toy, val", "Splitting depth gradient above 0.1", "These weights know drawn scenes only.",
        "Supervision None in this run", "26.7", "car thing 31.5 70.0 45.0", "50 % of thing pixels",
        "1.0 instances an image; the ground truth has 1.0.", "b/c", "Depth edges", "Ground truth",
        "As classes", "cluster 1 car thing · group 0",
        "Not seen in the images looked at: cluster 2.",
        "labels 12.3 s",
    ):  # fmt: skip
        assert expected in page.text


def test_without_ground_truth_nothing_is_said_of_quality(tmp_path: Path) -> None:
    page = write(tmp_path, Labels("a"), RunDescription("toy"))
    assert "Quality" not in page.text
    assert "Ground truth" not in page.text
    assert "Supervision None in this run" in page.text


def test_supervision_is_said(tmp_path: Path) -> None:
    run = RunDescription("toy", supervision=["clusters were named by ground truth of val"])
    page = write(tmp_path, Labels("a"), run)
    assert "depended on what people made: clusters were named by ground truth of val" in page.text
    assert "Supervision None in this run" not in page.text


def test_keys_and_words_are_escaped(tmp_path: Path) -> None:
    key = '<script>"&\udcff straße'
    run = RunDescription("<b>toy</b>", facts=[("<i>", "a & b")])
    page = write(tmp_path, Labels(key), run)
    assert "<b>toy</b>" in page.text
    assert '<script>"&\\udcff straße' in page.text
    assert page.text.count("const dialog") == 1


@pytest.mark.parametrize("count", [0, 1, 30])
def test_any_number_of_images(tmp_path: Path, count: int) -> None:
    labels = Labels(*(f"k{i:02d}" for i in range(count)))
    page = write(tmp_path, labels, RunDescription("toy"), extent=ReportExtent(4, 10))
    assert f"{min(count, 4)} of {count} images, evenly spaced" in page.text
    pictures = [source for source in page.sources if source.startswith("data:")]
    assert len(pictures) == 4 * min(count, 4) + (2 if count else 0)


def test_equal_runs_give_equal_pages(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path / name, Labels("a"), RunDescription("toy"))
    one, two = ((tmp_path / name / "report.html").read_bytes() for name in ("one", "two"))
    assert one == two
