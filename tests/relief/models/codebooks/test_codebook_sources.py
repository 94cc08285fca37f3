from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from relief.models.codebooks.codebook_sources import PublishedKMeans, read_published_centroids
from relief.schema.errors import WeightsError
from relief.schema.label_spaces import CITYSCAPES_19


@pytest.fixture
def path(tmp_path) -> str:
    """Road, two kinds of car, a person, and a cluster of no class."""
    file = tmp_path / "kmeans_centroids.npz"
    classes = np.array([0, 13, 13, 11, 255], np.uint8)
    np.savez(file, centroids=np.eye(5, 6), cluster_to_class=classes)
    return str(file)


def test_classes_things_and_groups_follow_the_named_clusters(path):
    codebook = PublishedKMeans(path, k=5)
    assert not codebook.is_fitted
    codebook.read_if_given(None, 6)
    assert codebook.class_of_cluster.tolist() == [0, 13, 13, 11, -1]
    assert codebook.thing_ids.tolist() == [False, True, True, True, False]
    assert codebook.groups.tolist() == [-1, 2, 2, 0, -1]
    assert codebook.num_categories == 19
    assert codebook.centroids.dtype == torch.float32


def test_metadata_tells_supervision_and_missing_classes(path):
    codebook = PublishedKMeans(path, k=5)
    codebook.read_if_given(None)
    assert any("validation ground truth" in text for text in codebook.metadata["supervision"])
    assert len(codebook.metadata["missing_classes"]) == 16
    assert "road" not in codebook.metadata["missing_classes"]
    assert codebook.metadata["source"] == "kmeans_centroids.npz"


def test_survives_saving(path, tmp_path):
    codebook = PublishedKMeans(path, k=5)
    codebook.read_if_given(None)
    codebook.save(tmp_path / "codebook.safetensors")
    again = PublishedKMeans("nowhere", k=5)
    again.read_if_given(tmp_path / "codebook.safetensors", 6)
    assert torch.equal(again.groups, codebook.groups)
    assert again.metadata == codebook.metadata


@pytest.mark.parametrize(("k", "dim"), [(80, 6), (5, 90)])
def test_other_shapes_are_refused(path, k, dim):
    with pytest.raises(WeightsError, match="5 centroids of 6 channels"):
        PublishedKMeans(path, k=k).read_if_given(None, dim)


def test_other_files_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", centroids=np.eye(2))
    np.savez(tmp_path / "line.npz", centroids=np.ones(2), cluster_to_class=np.ones(2))
    for name in ("a.npz", "none.npz", "line.npz"):
        with pytest.raises(WeightsError):
            read_published_centroids(tmp_path / name)


@pytest.mark.skipif("RELIEF_SHARED" not in os.environ, reason="RELIEF_SHARED is not set")
def test_published_k80_centroids_lack_two_classes():
    file = Path(os.environ["RELIEF_SHARED"]) / "golden" / "kmeans_centroids_k80.npz"
    published = read_published_centroids(file)
    assert published.centroids.shape == (80, 90)
    assert published.missing_classes == ("traffic light", "motorcycle")
    codebook = PublishedKMeans(str(file))
    codebook.read_if_given(None, 90)
    counts = torch.bincount(codebook.class_of_cluster, minlength=19)
    things = {CITYSCAPES_19.names[i]: int(counts[i]) for i in CITYSCAPES_19.things}
    assert things == {
        "person": 2,
        "rider": 1,
        "car": 7,
        "truck": 1,
        "bus": 2,
        "train": 1,
        "motorcycle": 0,
        "bicycle": 1,
    }
    assert int(codebook.thing_ids.sum()) == 15
