"""The notebook of the docs runs, cell by cell, on drawn streets."""

import json
from pathlib import Path

import pytest

from relief.formats.label_store import LabelStore

NOTEBOOK = Path(__file__).parents[1] / "docs" / "streets.ipynb"


def cells() -> list[dict]:
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]


def test_it_holds_no_results_of_a_run():
    assert all(cell.get("outputs", []) == [] for cell in cells())
    assert all(cell.get("execution_count") is None for cell in cells())


@pytest.mark.slow
def test_its_cells_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for cell in cells():
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    assert len(LabelStore(Path("labels")).keys) == 8
    assert Path("coco/panoptic.json").is_file()
    assert 0.05 < names["figures"]["miou"] < 1
