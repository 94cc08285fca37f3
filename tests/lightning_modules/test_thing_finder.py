import pytest
import torch
from torch import nn

from lightning_modules.thing_finder import ThingFinder
from relief.formats.label_store import LabelStore
from relief.models.codebook_fitters.lloyd import LloydKMeans
from relief.models.codebooks.codebook import Codebook
from relief.models.codebooks.thing_rule import ThingRule
from relief.schema.errors import UsageError
from relief.schema.geometry import WindowGeometry
from tests.label_runs import label_bytes, run_label

FINER = (
    *("--thingness.init_args.finer_things", "relief.models.codebook_fitters.lloyd.LloydKMeans"),
    *("--thingness.init_args.finer_things.init_args.k", "6"),
)


def test_ground_truth_of_another_resolution_votes():
    codebook = Codebook(3)
    codebook.set_centroids(torch.eye(3))
    finder = ThingFinder(
        ThingRule(), nn.Identity(), codebook, WindowGeometry(), oracle_classes="cityscapes19"
    )
    finder._vote(torch.tensor([[0, 0, 1, 1], [0, 0, 2, 2]]), torch.tensor([[7, 13]]))
    expected = torch.zeros(3, 19, dtype=torch.int64)
    expected[0, 7] = expected[2, 13] = 1
    assert torch.equal(finder._votes, expected)


def test_things_get_clusters_of_their_own_and_labels_use_them(tiny_cityscapes, tmp_path):
    before, out = tmp_path / "before", tmp_path / "out"
    assert run_label(tiny_cityscapes, before) == 0
    assert run_label(tiny_cityscapes, out, *FINER) == 0
    coarse, fine = Codebook(), Codebook()
    coarse.load(before / "codebook.safetensors")
    fine.load(out / "codebook.safetensors")
    assert torch.equal(fine.centroids[~fine.thing_ids], coarse.centroids[~coarse.thing_ids])
    assert int(fine.thing_ids.sum()) == 6 > int(coarse.thing_ids.sum()) == 1
    assert fine.metadata["finer_things"]["k"] == 6
    store = LabelStore(out)
    assert store.manifest.k == 4 + 6  # at most; fewer are there
    assert store.thing_ids == tuple(fine.thing_ids.nonzero()[:, 0].tolist())
    assert any(store.semantic(key).max() > 3 for key in store.keys)
    bytes_before = label_bytes(out)
    assert run_label(tiny_cityscapes, out, *FINER) == 0  # reads its codebook, labels nothing anew
    assert label_bytes(out) == bytes_before


def test_clusters_with_classes_are_not_clustered_again():
    with pytest.raises(UsageError, match="finer_things"):
        ThingFinder(
            ThingRule(),
            nn.Identity(),
            Codebook(3),
            WindowGeometry(),
            oracle_classes="cityscapes19",
            finer_things=LloydKMeans(4),
        )
