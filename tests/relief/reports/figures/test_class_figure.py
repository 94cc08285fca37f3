import numpy as np
from PIL import Image

from relief.reports.figures.class_figure import write_class_figure
from relief.schema.label_spaces import CITYSCAPES_19


def figures(**pq):
    per_class = {
        name: {"pq": pq.get(name), "iou": 40.0 if name in pq else None}
        for name in CITYSCAPES_19.names
    }
    return {"pq": 50.0, "miou": 40.0, "per_class": per_class}


def test_one_bar_in_its_colour_for_each_class_that_occurs(tmp_path):
    write_class_figure(tmp_path / "a.png", "seed/cups", figures(car=90.0, sky=60.0), CITYSCAPES_19)
    picture = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).reshape(-1, 3)

    def pixels(name):
        color = CITYSCAPES_19.colors[CITYSCAPES_19.names.index(name)]
        return int((picture == color).all(1).sum())

    assert pixels("car") > 1.3 * pixels("sky") > 1000
    assert pixels("road") == 0
    write_class_figure(tmp_path / "b.png", "seed/cups", figures(car=90.0), CITYSCAPES_19)
    assert Image.open(tmp_path / "b.png").height < Image.open(tmp_path / "a.png").height


def test_the_number_lies_beside_every_bar_and_mark(tmp_path):
    def picture(pq, iou):
        shown = figures(car=pq)
        shown["pq"] = 50.0  # of the title
        shown["per_class"]["car"]["iou"] = iou
        write_class_figure(tmp_path / "a.png", "seed/cups", shown, CITYSCAPES_19)
        return np.asarray(Image.open(tmp_path / "a.png").convert("L")).astype(int)

    def columns(one, other):
        return np.flatnonzero((one != other).any(axis=0))

    short = picture(1.0, None)
    bar_and_number = columns(short, picture(2.0, None))
    middle = short.shape[1] // 2
    number = bar_and_number[bar_and_number > middle]
    assert len(number) > 3
    for iou in (3.0, 100.0):
        mark = columns(short, picture(1.0, iou))
        assert 3 < len(mark) < 10
        assert mark.max() < number.min()
