from pathlib import Path

import pytest
import yaml

from relief.schema.errors import UsageError
from relief.studies.published.published_study import PublishedStudy
from relief.studies.requests import parse_request, study_names
from relief.studies.study import StudyData, StudyRequest
from tests.relief.studies.tiny import draw_store, draw_tree

ROOT = Path(__file__).parents[4]
STUDIES = ROOT / "configs" / "studies"
PUBLISHED = [
    name for name in study_names(STUDIES) if name.startswith("table_") or name == "best_results"
]


def study_named(name):
    return parse_request({"study": StudyRequest}, ["study", name], STUDIES)[1].study


def test_every_published_table_is_there():
    wanted = {f"table_{n}" for n in (*range(1, 10), "a1", "a2", "a3")} | {"best_results"}
    assert wanted <= set(study_names(STUDIES))


def table_texts(table):
    return [cell.text for row in table.rows for cell in row.cells if cell.text is not None]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_shipped_table_finds_all_its_cells_in_both_sweeps(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    study = study_named(name)
    table = study.table
    assert all(len(row.cells) == len(table.columns) for row in table.rows)
    texts = [table.title, table.note, *table.columns, *table_texts(table)]
    assert all(isinstance(text, str) for text in texts)
    for data in (StudyData(), StudyData(root="data/cityscapes")):
        sweep = study.on(data).sweep()
        rows = {source.name: source.rows for source in sweep.sources}
        assert set(rows) == table.sources
        for row in table.rows:
            for term in [term for cell in row.cells for term in cell.terms]:
                select = term.select or row.select
                own = rows[select.source]
                assert select.best or any(
                    one.gradient_threshold == select.gradient_threshold
                    and select.min_area_px in one.min_areas_px
                    for one in own
                ), (name, select)
        assert sweep.protocols == ["seed"]


def test_the_published_grids_are_complete():
    counts = {n: len(study_named(f"table_{n}").table.rows) for n in (1, 2, 3, "a1", "a2", "a3")}
    assert counts == {1: 32, 2: 13, 3: 19, "a1": 32, "a2": 13, "a3": 19}
    best = study_named("table_3").table.rows[0]
    assert (best.select.gradient_threshold, best.select.min_area_px) == (0.2, 1000)
    assert [cell.published for cell in best.cells[3:]] == [26.74, 32.08, 19.41, 71.88, 31.41, 4.3]


def tiny(root, **changes):
    table = """
title: "Tiny: one"
columns: [k, PQ, CUPS]
note: A note.
sample_note: On the sample.
rows:
- select: {source: k=7, gradient_threshold: 0.1, min_area_px: 10}
  cells: [{text: '7'}, {terms: [{figure: pq}], published: 26.7}, {published: 1.0}]
- select: {source: k=9}
  cells: [{text: '9'}, {terms: [{figure: pq}], published: 25.6}, {}]
"""
    sweep = {
        "root": str(root), "split_short_side_px": 48, "processes": 1,
        "depths": [{"name": "drawn", "root": "{root}/depth"}],
        "sources": [
            {"name": "k=7", "labels": "{root}/none", "label_args": ["--out", "x"],
             "rows": [{"min_areas_px": [5]}, {"gradient_threshold": 0.1, "min_areas_px": [10]}]},
            {"name": "k=9", "labels": "{root}/gone", "rows": [{"min_areas_px": [10]}]},
            {"name": "k=1", "labels": "{root}/unused", "rows": [{"min_areas_px": [10]}]},
        ],
    }  # fmt: skip
    path = root / "sweep.yaml"
    path.write_text(yaml.safe_dump(sweep))
    return PublishedStudy(table, str(path), str(path), processes=1, **changes)


def test_labels_given_take_the_place_of_those_of_their_k(tmp_path):
    root = draw_tree(tmp_path)
    study = tiny(root)
    assert study.label_commands() == [["--out", "x"]]
    data = StudyData((str(draw_store(root / "labels")),), folder=tmp_path / "out")
    filled = study.on(data)
    assert filled.label_commands() == []
    result = filled.run()
    (table,) = result.tables
    figure = table.rows[0][1]
    assert figure.endswith(" (26.70)") and float(figure.split()[0]) > 50
    assert table.rows[0][2] == "(1.00)"
    assert table.rows[1] == ["9", "– (25.60)", ""]
    assert any("left out k=9" in note for note in result.notes)
    assert {"A note.", "On the sample."} <= set(result.notes)
    assert {row["source"] for row in result.runs} == {"k=7"}
    elsewhere = study.on(StudyData(data.labels, root=str(root), folder=tmp_path / "out")).run()
    assert "On the sample." not in elsewhere.notes
    assert elsewhere.tables[0].rows == table.rows


def test_labels_of_another_k_are_told(tmp_path):
    study = tiny(draw_tree(tmp_path))
    with pytest.raises(UsageError, match=r"labels of k=8: the table has k=7, k=9"):
        study.on(StudyData((str(draw_store(tmp_path / "s", k=8)),))).sweep()
