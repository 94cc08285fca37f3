from __future__ import annotations

from pathlib import Path

import pytest

from relief.schema.errors import UsageError
from relief.schema.names import ClusterNames, NamedClusters

TEXT = """
car: {clusters: [3, 7, 1-2], thing: true}
road: [0, 5]
sky: 4
"""


def test_names_are_read(tmp_path: Path) -> None:
    (tmp_path / "names.yaml").write_text(TEXT)
    names = ClusterNames.read(tmp_path / "names.yaml")
    assert names.entries == (
        NamedClusters("car", (1, 2, 3, 7), thing=True),
        NamedClusters("road", (0, 5)),
        NamedClusters("sky", (4,)),
    )
    assert names.by_cluster == {
        1: "car",
        2: "car",
        3: "car",
        7: "car",
        0: "road",
        5: "road",
        4: "sky",
    }


def test_merging_keeps_clusters_without_a_name() -> None:
    names = ClusterNames.from_content({"car": {"clusters": "1-2", "thing": True}, "road": [0, 5]})
    merged = names.merge(7, thing_ids=(2, 6))
    assert [entry["name"] for entry in merged.categories] == [
        "road", "car", "cluster 3", "cluster 4", "cluster 6",
    ]  # fmt: skip
    assert merged.category_of_cluster.tolist() == [0, 1, 1, 2, 3, 0, 4]
    assert [entry["id"] for entry in merged.categories] == [0, 1, 2, 3, 4]
    assert merged.thing_ids == (1, 4)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "expected `name: clusters` lines"),
        ({"car": [3], "bus": [1, 3]}, "cluster 3 has two names"),
        ({"car": {"cluster": 3}}, "'car' has other keys"),
        ({"car": {"clusters": 3, "thing": "yes"}}, "`thing` of 'car'"),
        ({"car": []}, "'car' has no clusters"),
        ({"car": ["5-3"]}, "'car' has no clusters"),
        ({"car": ["x"]}, "'car' has 'x'"),
        ({"car": [-1]}, "'car' has -1"),
        ({"car": [1.5]}, "'car' has 1.5"),
        ({"car": "3-"}, "'car' has '3-'"),
    ],
)
def test_mistakes_are_one_line(content: object, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        ClusterNames.from_content(content)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_mistakes_that_need_the_clusters() -> None:
    with pytest.raises(UsageError, match="there is no cluster 9, only 0-4"):
        ClusterNames.from_content({"car": 9}).merge(5, ())
    with pytest.raises(UsageError, match="'car' joins things and stuff"):
        ClusterNames.from_content({"car": [1, 2]}).merge(5, (1,))


def test_an_unreadable_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "names.yaml").write_text("car: [")
    with pytest.raises(UsageError, match="cannot read cluster names"):
        ClusterNames.read(tmp_path / "names.yaml")
