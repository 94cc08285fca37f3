from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from relief.formats.monocular_ups import MonocularUpsLabels
from relief.schema.errors import UsageError
from tests.contracts.reader import ReaderContract


def draw_tree(root: Path, stem_end: str = "_leftImg8bit") -> None:
    folder = root / "pseudo_semantic_raw_k80/val/bonn"
    folder.mkdir(parents=True)
    Image.fromarray(np.array([[0, 79], [255, 3]], np.uint8)).save(folder / f"b_1{stem_end}.png")
    depth = root / "depth_spidepth/val/bonn"
    depth.mkdir(parents=True)
    np.save(depth / "b_1.npy", np.zeros((2, 2), np.float32))


@pytest.mark.parametrize("stem_end", ["", "_leftImg8bit"])
def test_clusters_and_depth_by_key(tmp_path: Path, stem_end: str) -> None:
    draw_tree(tmp_path, stem_end)
    labels = MonocularUpsLabels(tmp_path, "val")
    assert labels.keys == ["bonn/b_1"]
    assert labels.semantic("bonn/b_1").tolist() == [[0, 79], [-1, 3]]
    assert labels.panoptic("bonn/b_1").tolist() == [[[0, 0], [79, 0]], [[-1, 0], [3, 0]]]
    assert labels.depth_path("bonn/b_1") == tmp_path / "depth_spidepth/val/bonn/b_1.npy"
    assert labels.depth_path("bonn/b_2") is None
    assert labels.num_categories == 80
    assert labels.thing_ids is None


def test_centroids_beside_the_labels(tmp_path: Path) -> None:
    draw_tree(tmp_path)
    labels = MonocularUpsLabels(tmp_path, "val")
    with pytest.raises(UsageError, match=r"cannot read centroids: .*kmeans_centroids.npz"):
        labels.centroids()
    for cut in (b"", b"PK\x03\x04, cut"):
        (tmp_path / "pseudo_semantic_raw_k80/kmeans_centroids.npz").write_bytes(cut)
        with pytest.raises(UsageError, match=r"cannot read centroids: .*kmeans_centroids.npz"):
            labels.centroids()
    np.savez(tmp_path / "pseudo_semantic_raw_k80/kmeans_centroids.npz", centroids=np.ones(3))
    with pytest.raises(UsageError, match=r"cannot read centroids: .*kmeans_centroids.npz"):
        labels.centroids()
    np.savez(
        tmp_path / "pseudo_semantic_raw_k80/kmeans_centroids.npz",
        centroids=np.eye(3),
        cluster_to_class=np.array([0, 255, 13], np.uint8),
    )
    assert torch.equal(labels.centroids(), torch.eye(3))
    assert labels.class_of_cluster().tolist() == [0, -1, 13]
    assert MonocularUpsLabels(tmp_path, "val").num_categories == 3


def test_the_published_centroids(tmp_path: Path) -> None:
    shared = os.environ.get("RELIEF_SHARED")
    if not shared:
        pytest.skip("RELIEF_SHARED is not set")
    draw_tree(tmp_path)
    file = Path(shared) / "golden/kmeans_centroids_k80.npz"
    target = tmp_path / "pseudo_semantic_raw_k80/kmeans_centroids.npz"
    target.write_bytes(file.read_bytes())
    labels = MonocularUpsLabels(tmp_path, "val")
    assert labels.centroids().shape == (80, 90)
    assert len(labels.class_of_cluster().unique()) == 17


def test_k_from_the_files_where_nothing_says_it(tmp_path: Path) -> None:
    draw_tree(tmp_path)
    (tmp_path / "pseudo_semantic_raw_k80").rename(tmp_path / "clusters")
    assert MonocularUpsLabels(tmp_path, "val", "clusters").num_categories == 80


def test_an_empty_tree_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no labels found"):
        _ = MonocularUpsLabels(tmp_path, "val").keys


class TestMonocularUpsLabels(ReaderContract):
    @pytest.fixture
    def labels(self, tmp_path):
        draw_tree(tmp_path)
        return MonocularUpsLabels(tmp_path, "val")
