from __future__ import annotations

import numpy as np
import pytest

from relief.schema.errors import ReadError
from relief.sources.ground_truth import GroundTruthLabels
from relief.sources.synthia import SynthiaSource
from tests.contracts.source import SourceContract
from tests.png_files import write_png

CLASSES = [[0, 3, 4, 2, 21, 5, 7, 15, 9, 6, 1], [10, 17, 8, 8, 19, 12, 11, 13, 14, 22, 8]]
OBJECTS = [[0] * 10 + [260], [1, 2, 3, 65535, 5, 6, 7, 0, 0, 9, 0]]


def write_tree(root, classes=CLASSES, objects=OBJECTS, key="0000000"):
    labels = np.zeros((2, len(classes[0]), 3), np.uint16)
    labels[..., 0], labels[..., 1], labels[..., 2] = classes, objects, 7
    write_png(root / "GT" / "LABELS" / f"{key}.png", labels)
    write_png(root / "RGB" / f"{key}.png", labels.astype(np.uint8))


class TestSynthiaSource(SourceContract):
    @pytest.fixture
    def source(self, tmp_path):
        write_tree(tmp_path)
        return SynthiaSource(tmp_path)


def test_all_sixteen_bits_of_class_and_object_are_read(tmp_path):
    write_tree(tmp_path)
    category, instance = SynthiaSource(tmp_path).target("0000000").unbind(-1)
    assert category.tolist() == [
        [-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 10],
        [11, 12, 13, 13, 15, 17, 18, -1, -1, -1, 13],
    ]
    assert instance[0].tolist() == [0] * 11  # the sky has a number and is no object
    assert instance[1].tolist() == [1, 2, 3, 65535, 5, 6, 7, 0, 0, 0, 0]


def test_classes_that_are_never_labelled_are_known(tmp_path):
    write_tree(tmp_path)
    source = SynthiaSource(tmp_path)
    assert source.label_space.absent_names == ("terrain", "truck", "train")
    labels = GroundTruthLabels(source=source, domain="Synthia")
    assert labels.supervision == ("source labels: Synthia",)
    assert labels.notes == ("labels: nothing is labelled as terrain, truck, train",)


def test_unknown_ids_are_refused_in_a_line(tmp_path):
    classes = np.array(CLASSES)
    classes[0, 0] = 23
    write_tree(tmp_path, classes)
    with pytest.raises(ReadError, match=r"unknown ids: .*0000000.png \(23, expected 0 to 22\)"):
        SynthiaSource(tmp_path).target("0000000")


def test_eight_bit_labels_are_refused(tmp_path):
    write_tree(tmp_path)
    write_png(tmp_path / "GT" / "LABELS" / "0000000.png", np.zeros((2, 11, 3), np.uint8))
    with pytest.raises(ReadError, match="expected 16-bit RGB"):
        SynthiaSource(tmp_path).target("0000000")
