from __future__ import annotations

import io

import pytest
from rich.console import Console

from relief.samples.draw import draw_sample
from relief.samples.figures import main, print_figures
from relief.samples.measures import (
    class_coverage,
    group_images,
    guess_from_colour,
    read_split,
    texture_strength,
    touching_things,
)
from relief.schema.label_spaces import CITYSCAPES_19


def test_the_printed_page_names_every_class(tmp_path):
    draw_sample(tmp_path, train_images=2, val_images=2)
    page = io.StringIO()
    print_figures(tmp_path, Console(file=page, width=120))
    for name in CITYSCAPES_19.names:
        assert name in page.getvalue()
    assert "class from mean RGB" in page.getvalue()


def test_an_empty_folder_is_told_in_a_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["figures", "--root", str(tmp_path)])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith("no images found")


@pytest.mark.slow
def test_the_whole_sample_keeps_its_promises(tmp_path):
    draw_sample(tmp_path)
    for split in ("train", "val"):
        truths = list(read_split(tmp_path, split))
        assert len(truths) >= 48
        assert {t.image.shape for t in truths} == {(512, 1024, 3)}
        assert len(list((tmp_path / "leftImg8bit" / split).iterdir())) >= 3
        images, share = class_coverage(truths)
        assert images.min() >= 8
        assert share.min() >= 0.0005
        groups, void = group_images(truths)
        assert groups >= 8
        assert 0.005 < void < 0.1
        touch = touching_things(truths)
        assert touch.touching / touch.things >= 0.30
        assert 0.5 < touch.visible_pairs / touch.pairs < 1  # depth helps often, not always
        colour = guess_from_colour(truths)
        assert colour.accuracy - colour.majority <= 0.10
        assert colour.balanced_accuracy - colour.chance <= 0.10
        strength = texture_strength(truths)
        assert strength.min() >= 0.04
        assert strength.max() <= 0.18
