import pytest

from relief.sources.cityscapes import CityscapesSource
from relief.studies.trainings.figures import FIGURES
from tests.relief.studies.tiny import KEYS, draw_tree
from tests.relief.studies.trainings.test_training_study import draw_class_store


@pytest.mark.parametrize("measured", list(FIGURES))
def test_every_heading_has_a_figure_and_images_are_counted(tmp_path, measured):
    truth = CityscapesSource(draw_tree(tmp_path), "val")
    draw_class_store(tmp_path / "store", objects=True)
    scored = FIGURES[measured].score(tmp_path / "store", truth)
    assert set(scored.figures) == {*FIGURES[measured].headings, "images"}
    assert scored.figures["images"] == len(scored.keys or KEYS)
    assert not scored.failures


def test_objects_are_measured_whatever_their_class(tmp_path):
    truth = CityscapesSource(draw_tree(tmp_path), "val")
    draw_class_store(tmp_path / "store", objects=True)
    draw_class_store(tmp_path / "none", objects=False)
    measure = FIGURES["objects"].score
    found, none = measure(tmp_path / "store", truth), measure(tmp_path / "none", truth)
    assert found.figures["found"] > 0
    assert found.figures["ap50"] > 50
    assert none.figures["found"] == none.figures["ap"] == 0
    assert len(found.objects) == len(found.keys) == len(KEYS)
