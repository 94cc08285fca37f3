"""The examples of docs/python.md run, one after the other, beside a folder of photographs."""

import re
from pathlib import Path

import numpy as np
from PIL import Image

from relief.formats.label_store import LabelStore

PAGE = Path(__file__).parents[1] / "docs" / "python.md"


def test_the_examples_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    draw = np.random.default_rng(0)
    for number in range(3):
        picture = draw.integers(90, 110, (96, 128, 3)).astype(np.uint8)
        picture[:40] //= 2
        picture[50:80, 20 + 30 * number : 50 + 30 * number] = (200, 40, 30)
        Image.fromarray(picture).save(f"photos/street_{number}.png")
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) == 6
    names: dict[str, object] = {}
    for example in examples:
        exec(example, names)
    assert names["again"].keys == ["mirrored", "now"]
    assert names["again"]["now"].panoptic.tolist() == names["labels"][0].panoptic.tolist()
    assert names["rows"] == names["opened"].objects()
    assert names["picture"].shape == (96, 128, 3)
    assert LabelStore(Path("labels")).keys == ["street_0", "street_1", "street_2"]
    assert Path("coco/panoptic.json").is_file()
    assert names["same"].is_fitted
    assert names["figures"]["pq"] == 1
