import pytest
import torch
from PIL import Image

from relief.reports.labelled_images import LabelledImages
from relief.schema.errors import ReadError, UsageError
from tests.relief.formats.exports.drawn import SIZE, draw_with_photographs


def test_photographs_come_at_the_size_of_their_labels(tmp_path):
    store, root = draw_with_photographs(tmp_path), tmp_path / "photographs"
    images = LabelledImages(str(store), str(root))
    assert [category["name"] for category in images.categories][:1] == ["cluster 0"]
    assert images.photograph("a/one").shape == (3, *SIZE)
    Image.new("RGB", (60, 40), (1, 2, 3)).save(root / "two.png")
    assert torch.equal(images.photograph("two")[:, 0, 0], torch.tensor((1, 2, 3)))
    Image.new("RGB", (60, 20)).save(root / "two.png")
    with pytest.raises(ReadError, match="another shape"):
        images.photograph("two")
    with pytest.raises(UsageError, match="no folder of photographs"):
        LabelledImages(str(store), str(tmp_path / "none"))
