import numpy as np
import pytest
from PIL import Image

from relief.schema.sources import keys_with_target
from relief.sources.bdd100k import Bdd100kSource
from tests.contracts.source import SourceContract
from tests.png_files import write_png


def write_frame(root, key, ids, split="val"):
    ids = np.array(ids, np.uint8)
    write_png(root / "labels/sem_seg/masks" / split / f"{key}.png", ids)
    photographs = root / "images/10k" / split
    photographs.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.dstack((ids,) * 3)).save(photographs / f"{key}.jpg")


class TestBdd100kSource(SourceContract):
    @pytest.fixture
    def source(self, tmp_path):
        write_frame(tmp_path, "7d06fefd-f7be05a6", [[0, 1], [13, 255]])
        return Bdd100kSource(tmp_path)


def test_class_ids_and_void(tmp_path):
    write_frame(tmp_path, "a", [[0, 18], [13, 255]])
    target = Bdd100kSource(tmp_path).target("a")
    assert target[..., 0].tolist() == [[0, 18], [13, -1]]
    assert not target[..., 1].any()


def test_photographs_without_labels_are_images_too(tmp_path):
    write_frame(tmp_path, "a", [[0]])
    write_frame(tmp_path, "b", [[0]])
    (tmp_path / "labels/sem_seg/masks/val/b.png").unlink()
    source = Bdd100kSource(tmp_path)
    assert source.keys == ["a", "b"]
    assert keys_with_target(source) == ["a"]
