import re
from types import SimpleNamespace

import numpy as np
import torch

from relief.metrics.instance_matches import match_instances
from relief.reports.instance_report import COLORS, paint_fates, write_instance_report
from relief.reports.tables.evaluation import instances_table
from relief.reports.tables.instances import INSTANCE_COLUMNS, instance_rows
from relief.schema.instances import ImageInstances
from tests.relief.metrics.test_instance_ap import SIZE, instances

LEFT, RIGHT, AGAIN = (10, 10, 40, 40), (10, 80, 40, 40), (10, 10, 18, 40)
FIGURES = dict.fromkeys(INSTANCE_COLUMNS, 12.34) | {"ap_small": float("nan")}
COUNTS = {"found": 1, "missed": 1, "doubled": 1, "wrong": 0, "right": 1, "images": 5}
BY_CLASS = FIGURES | {"per_class": {"<cat>": {"ap": 1.0, "ap50": 2.0, "ap75": 3.0}}}
METRICS = {"masks": FIGURES, "masks_by_class": BY_CLASS, "counts": COUNTS}


def measured():
    predicted, true = instances([LEFT, AGAIN], [1, 1], [0.9, 0.1]), instances([LEFT, RIGHT], [1, 1])
    matches = match_instances(predicted, true, "masks")
    return SimpleNamespace(key="a/<b>", predicted=predicted, true=true, matches=matches)


def test_rows_are_kinds_and_single_classes():
    rows = dict(instance_rows(METRICS))
    assert list(rows) == ["masks", "masks by class", "masks, <cat>"]
    assert rows["masks"][:4] == ["12.3", "12.3", "12.3", "–"]
    assert rows["masks, <cat>"] == ["1.0", "2.0", "3.0"] + [""] * 6
    assert instances_table(METRICS).row_count == 3
    assert "1 objects found, 1 missed; 1 instances doubled" in instances_table(METRICS).title


def test_the_page_shows_images_and_needs_nothing_beside_it(tmp_path):
    failures = [{"key": "x", "reason": "cannot read <x>."}]
    scores = SimpleNamespace(metrics=METRICS, examples=[measured()], failures=failures)
    photo = torch.zeros(3, *SIZE, dtype=torch.uint8)
    write_instance_report(tmp_path / "a.html", "<run>", scores, lambda key: photo)
    text = (tmp_path / "a.html").read_text()
    assert text.count("<figure>") == 3
    assert "&lt;run&gt;" in text and "cannot read &lt;x&gt;." in text and "a/&lt;b&gt;" in text
    assert "1 found, 1 missed, 1 doubled, 0 wrong" in text
    assert not re.search(r'(src|href)="(?!data:)', text)
    write_instance_report(tmp_path / "b.html", "run", scores, None)
    assert (tmp_path / "b.html").read_text().count("<figure>") == 2


def test_colours_say_what_became_of_a_mask():
    image = measured()
    fates = {name: vars(image.matches)[name] for name in ("found", "missed")}
    picture = paint_fates(np.full((*SIZE, 3), 200, np.uint8), image.true, fates)

    def hue(place):
        return np.argmax(picture[place].astype(int) - picture[100, 5])

    assert hue((30, 30)) == np.argmax(COLORS["found"])
    assert hue((30, 100)) == np.argmax(COLORS["missed"])
    assert len(set(picture[100, 5].tolist())) == 1


def test_boxes_are_frames():
    one = measured().true
    boxes = ImageInstances(SIZE, one.category, one.boxes, one.area_px, one.scores, one.crowd, None)
    picture = paint_fates(np.zeros((*SIZE, 3), np.uint8), boxes, {"found": np.ones(2, bool)})
    assert (picture[10, 10] != picture[30, 30]).any()
    assert (picture[30, 30] == picture[100, 5]).all()
