import io
import json
import sys

import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet

from relief.formats.exports.hugging_face import HuggingFaceDataset
from relief.schema.errors import UsageError
from tests.relief.formats.exports.drawn import KEYS, SCORES, SIZE, draw_labels, panoptic_of


def test_parquet_holds_photographs_maps_and_segments(tmp_path):
    HuggingFaceDataset(images_per_file=1).write(tmp_path, draw_labels(tmp_path))
    files = sorted((tmp_path / "data").iterdir())
    assert [file.name for file in files] == [f"val-0000{i}-of-00002.parquet" for i in range(2)]
    for file, key in zip(files, KEYS, strict=True):
        table = parquet.read_table(file)
        features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
        assert features["panoptic"] == features["image"] == {"_type": "Image"}
        (row,) = table.to_pylist()
        assert row["key"] == key
        assert Image.open(io.BytesIO(row["image"]["bytes"])).size == SIZE[::-1]
        rgb = np.asarray(Image.open(io.BytesIO(row["panoptic"]["bytes"]))).astype(int)
        ids = rgb @ (1, 256, 65536)
        expected = panoptic_of(key)[..., 0].numpy()
        scores = {pair[0]: score for pair, score in SCORES.items()}
        for segment in row["segments_info"]:
            mask = ids == segment["id"]
            assert mask.sum() == segment["area"]
            assert (expected[mask] == segment["category_id"]).all()
            if segment["category_id"] in scores:
                score = scores[segment["category_id"]]
                assert segment["score"] == pytest.approx(score, abs=0.002)
    assert "| 1 | cluster 1 | thing |" in (tmp_path / "README.md").read_text()


def test_without_pyarrow_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install pyarrow, or relief\[export\]\.$"):
        HuggingFaceDataset().write(tmp_path, draw_labels(tmp_path))
    assert not (tmp_path / "data").exists()
