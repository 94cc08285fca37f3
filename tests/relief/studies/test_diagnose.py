import pytest

from relief.studies.diagnose import DiagnoseRequest, diagnose_labels
from tests.relief.studies.tiny import draw_store, draw_tree


def test_dead_clusters_and_absorbed_classes(tmp_path):
    root = draw_tree(tmp_path)
    labels = str(draw_store(tmp_path / "labels", k=9))
    found = diagnose_labels(DiagnoseRequest(labels, str(root)))
    assert found.num_clusters == 9
    assert found.dead_clusters == [7, 8]
    assert found.absorption["road"] == {"road": 100.0}
    # One to one, one of the two building clusters gets a class that nothing else wanted.
    assert len(found.absorption["building"]) == 2
    assert sum(found.absorption["building"].values()) == pytest.approx(100, abs=3)
    assert found.absorption["train"] == {}
    majority = diagnose_labels(DiagnoseRequest(labels, str(root), assignment="majority"))
    assert majority.absorption["building"]["building"] > 90
    assert "train" in majority.classes_without_cluster
