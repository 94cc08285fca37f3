import json
import subprocess
import sys

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from relief.formats.files.atomic import WriteError
from relief.models.codebooks.codebook import Codebook
from relief.schema.errors import WeightsError


@pytest.fixture
def codebook():
    filled = Codebook()
    filled.fill(
        torch.tensor([[3.0, 4.0], [0.0, -2.0], [1.0, 0.0]]),
        torch.tensor([True, False, True]),
        torch.tensor([0, -1, 0]),
        metadata={"seed": 3, "fit split": "train", "backbone": {"name": "ü"}},
    )
    return filled


def test_codebook__empty_then_filled(codebook):
    assert not Codebook().is_fitted
    assert Codebook(k=80).wanted_k == 80
    assert codebook.is_fitted
    assert codebook.wanted_k == 3
    assert codebook.num_classes == 0
    assert codebook.num_categories == 3
    assert codebook.class_of_cluster.tolist() == [-1, -1, -1]
    torch.testing.assert_close(
        codebook.unit_centroids, torch.tensor([[0.6, 0.8], [0.0, -1.0], [1.0, 0.0]])
    )


def test_set_centroids__all_are_stuff(codebook):
    codebook.set_centroids(torch.ones(2, 5))
    assert codebook.thing_ids.tolist() == [False, False]
    assert codebook.groups.tolist() == [-1, -1]
    assert codebook.metadata == {}


def test_categories__of_classes_each_thing_class_is_a_group(codebook):
    codebook.fill(
        codebook.centroids,
        codebook.thing_ids,
        codebook.groups,
        torch.tensor([13, 0, 11]),
        {"classes": "cityscapes19"},
    )
    assert codebook.num_categories == codebook.num_classes == 19
    assert codebook.thing_categories.nonzero()[:, 0].tolist() == list(range(11, 19))
    assert codebook.category_groups.tolist() == [-1] * 11 + list(range(8))


def test_sha256__of_what_decides_labels(codebook):
    before = codebook.sha256()
    codebook.metadata = {"another": "story"}
    assert codebook.sha256() == before
    codebook.groups = torch.tensor([0, -1, 1])
    assert codebook.sha256() != before


def test_save__load_is_equal(codebook, tmp_path):
    codebook.save(tmp_path / "new" / "codebook.safetensors")
    loaded = Codebook()
    loaded.load(tmp_path / "new" / "codebook.safetensors", dim=2)
    for name in ("centroids", "thing_ids", "groups", "class_of_cluster"):
        assert torch.equal(getattr(loaded, name), getattr(codebook, name))
        assert getattr(loaded, name).dtype == getattr(codebook, name).dtype
    assert loaded.metadata == codebook.metadata
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["codebook.safetensors"]


@pytest.mark.slow
def test_save__same_bytes_again_in_another_process(codebook, tmp_path):
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    codebook.save(first)
    code = (
        "import sys; from relief.models.codebooks.codebook import Codebook; c = Codebook(); "
        "c.load(sys.argv[1]); c.metadata = dict(reversed(c.metadata.items())); c.save(sys.argv[2])"
    )
    subprocess.run([sys.executable, "-c", code, first, second], check=True)
    assert first.read_bytes() == second.read_bytes()
    with safe_open(first, framework="pt") as file:
        assert list(file.metadata()) == ["codebook"]


def test_save__failing_keeps_the_old_file(codebook, tmp_path, monkeypatch):
    path = tmp_path / "codebook.safetensors"
    codebook.save(path)
    before = path.read_bytes()
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    codebook.set_centroids(torch.zeros(1, 1))
    with pytest.raises(WriteError, match=r"codebook\.safetensors: disk full"):
        codebook.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_load__refuses_in_one_line(codebook, tmp_path):
    path = tmp_path / "codebook.safetensors"
    with pytest.raises(WeightsError, match="no such file"):
        Codebook().load(path)
    path.write_bytes(b"<html>")
    with pytest.raises(WeightsError, match="not a readable codebook"):
        Codebook().load(path)
    codebook.save(path)
    with pytest.raises(WeightsError, match="2 channels, the features have 90"):
        Codebook().load(path, dim=90)
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(WeightsError) as error:
        Codebook().load(path)
    assert (
        str(error.value) == f"cannot load codebook: {path} (not a readable codebook). Fit it again."
    )


def test_load__refuses_centroids_that_are_not_finite(codebook, tmp_path):
    path = tmp_path / "codebook.safetensors"
    codebook.centroids[1, 0] = float("inf")
    codebook.save(path)
    with pytest.raises(WeightsError, match=r"NaN or infinite values in centroids\)"):
        Codebook().load(path)


def test_load__refuses_other_safetensors(codebook, tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(WeightsError, match=r"no codebook\). Give"):
        Codebook().load(path)
    content = json.dumps({"version": 1, "metadata": {}})
    save_file({"weight": torch.zeros(2)}, path, metadata={"codebook": content})
    with pytest.raises(WeightsError, match="no codebook: centroids"):
        Codebook().load(path)
    content = json.dumps({"version": 2, "metadata": {}})
    save_file({"weight": torch.zeros(2)}, path, metadata={"codebook": content})
    with pytest.raises(WeightsError, match="format 2, this version reads 1"):
        Codebook().load(path)
    content = json.dumps({"version": "two\nlines", "metadata": {}})
    save_file({"weight": torch.zeros(2)}, path, metadata={"codebook": content})
    with pytest.raises(WeightsError, match=r"^[^\n]*this version reads 1[^\n]*$"):
        Codebook().load(path)
    names = ("thing_ids", "groups", "class_of_cluster")
    tensors = {name: torch.zeros(2, dtype=torch.int64) for name in names}
    content = json.dumps({"version": 1, "metadata": {}})
    save_file(tensors | {"centroids": torch.zeros(3, 4)}, path, metadata={"codebook": content})
    with pytest.raises(WeightsError, match=r"thing_ids must be \(3,\), got \(2,\)"):
        Codebook().load(path)
    save_file(tensors | {"centroids": torch.tensor(1.0)}, path, metadata={"codebook": content})
    with pytest.raises(WeightsError, match=r"centroids must be \(k, C\) with k > 0, got \(\)"):
        Codebook().load(path)


def test_read_if_given__nothing(codebook):
    codebook.read_if_given(None)
    assert len(codebook.centroids) == 3


def test_fill__refuses_groups_of_stuff():
    with pytest.raises(ValueError, match="groups must be -1"):
        Codebook().fill(torch.zeros(1, 2), torch.tensor([False]), torch.tensor([0]))


@pytest.mark.parametrize(
    "metadata", [5, "x", {"classes": "streets"}, {"classes": [1]}, {"supervision": "all"}]
)
def test_load__refuses_metadata_of_another_type(codebook, tmp_path, metadata):
    path = tmp_path / "codebook.safetensors"
    codebook.metadata = metadata
    codebook.save(path)
    with pytest.raises(WeightsError, match=r"cannot load codebook: .*codebook\.safetensors"):
        Codebook().load(path)
