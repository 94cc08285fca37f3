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
        ({"car": "0-99999999999"}, "'car' has '0-99999999999'"),
    ],
)
def test_mistakes_are_one_line(content: object, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        ClusterNames.from_content(content)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unreadable_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "names.yaml").write_text("car: 2024-13-45")
    with pytest.raises(UsageError, match="cannot read cluster names"):
        ClusterNames.read(tmp_path / "names.yaml")
