import json
import re

import numpy as np
import pytest
from PIL import Image

from relief.formats.decisions import Decisions
from relief.formats.label_store import LabelStore
from relief.reports.review_page import ReviewRequest, doubts
from relief.schema.instances import ImageInstances
from tests.browser import told_by_chromium
from tests.relief.formats.exports.drawn import draw_with_photographs
from tests.relief.reports.page_scripts import saved_by


@pytest.fixture
def request_of(tmp_path):
    store = draw_with_photographs(tmp_path)
    return ReviewRequest(str(store), str(tmp_path / "photographs"), str(tmp_path / "review"))


def images_of(page):
    (content,) = re.findall(r"const images = (.*?), categories = ", page)
    return json.loads(content)


def test_images_and_objects_come_least_sure_first(request_of):
    page = request_of.write().read_text()
    images = images_of(page)
    assert [image["key"] for image in images] == ["a/one", "two"]
    objects = images[0]["objects"]
    assert [(one["category"], one["instance"]) for one in objects] == [(1, 1), (2, 2)]
    assert [one["score"] for one in objects] == pytest.approx([0.4, 0.8], abs=0.002)
    assert objects[1]["box"] == pytest.approx([66.67, 75, 26.67, 20])
    assert "2 least sure of 2 images" in page
    assert "isSure = true" in page
    few = ReviewRequest(**{**vars(request_of), "images": 1}).write().read_text()
    assert len(images_of(few)) == 1


def test_keys_make_decisions_that_labels_take(request_of, tmp_path):
    page = request_of.write().read_text()
    hands = """
    press(" "); press("j"); press(" "); press(" ");
    document.getElementById("class").handlers.change({target: {value: "3", blur() {}}});
    press("j"); press("j");
    document.getElementById("merge").handlers.change({target: {value: "0", blur() {}}});
    press("p"); press("n"); press("x"); press("x"); press("p"); press("x");
    """
    saved = tmp_path / "decisions.json"
    saved.write_text(saved_by(page, "", hands))
    manifest = LabelStore(tmp_path / "store").manifest
    decisions = Decisions.read(saved, manifest.settings_digest(), manifest.is_thing)
    assert decisions.dropped == {"a/one"}
    changes = {key: [(d.pair, d.becomes) for d in of] for key, of in decisions.objects.items()}
    assert changes == {
        "a/one": [((1, 1), (-1, 0)), ((2, 2), (3, 0))],
        "two": [((2, 2), (1, 1))],
    }


def test_doubts_are_told_by_sizes_and_shapes():
    boxes = np.array([[0, 0, 1, 1], [0, 5, 100, 90], [10, 10, 40, 40]], float)
    area = np.array([1.0, 8000, 300])
    ones = np.ones(3)
    instances = ImageInstances((100, 100), ones.astype(int), boxes, area, ones, ones < 0, None)
    assert [doubts(instances, i) for i in range(3)] == [
        ["very small"],
        ["covers much of the image", "reaches from border to border"],
        ["fills little of its box"],
    ]


def test_pictures_lie_beside_the_page(request_of):
    page = request_of.write()
    for image in images_of(page.read_text()):
        for name in ("photograph", "painted"):
            with Image.open(page.parent / image[name]) as picture:
                assert picture.size == (30, 20)


@pytest.mark.slow
@pytest.mark.parametrize("width_px", [1400, 800])
def test_ten_thousand_images_are_gone_through_in_a_browser(request_of, width_px):
    path = request_of.write()
    images = images_of(page := path.read_text())
    many = [{**images[i % 2], "key": f"{i:05d}"} for i in range(10_000)]
    path.write_text(page.replace(json.dumps(images), json.dumps(many)))
    hands = """
    const list = document.getElementById("frame");
    press("j"); press(" ");
    for (let i = 0; i < 300; i++) press("n");
    press("x");
    list.value = 9999; list.dispatchEvent(new Event("change"));
    press(" ");
    const picture = document.querySelector(".stage img");
    await until(() => picture.complete);
    return {
      listed: list.options.length, title: document.querySelector("h3").textContent,
      output: document.querySelector("output").textContent, width: picture.naturalWidth,
      decided: JSON.parse(localStorage.getItem(place)),
      wide: document.documentElement.scrollWidth > innerWidth,
    };"""
    told = json.loads(told_by_chromium(path, hands, width_px))
    assert told["errors"] == []
    seen = told["seen"]
    assert seen["listed"] == 10_000
    assert seen["title"] == "09999"
    assert seen["output"] == "image 10000 of 10000, 3 decisions"
    assert seen["width"] == 30
    assert not seen["wide"]
    actions = [(one["key"], one["action"]) for one in seen["decided"].values()]
    assert actions == [("00000", "drop"), ("00300", "drop_image"), ("09999", "drop")]
