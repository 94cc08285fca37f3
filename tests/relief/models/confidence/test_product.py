import pytest
import torch

from relief.models.confidence.nearest_cluster import NearestCluster
from relief.models.confidence.product import Product
from relief.models.confidence.seed_agreement import SeedAgreement
from relief.models.confidence.splitter_says import SplitterSays
from relief.schema.errors import UsageError
from tests.contracts.confidence import ConfidenceContract, drawn_codebook, drawn_evidence


def test_one_part_is_itself_and_two_are_multiplied():
    evidence = drawn_evidence()
    near, said = NearestCluster().of(evidence), SplitterSays().of(evidence)
    torch.testing.assert_close(Product([NearestCluster()]).of(evidence), near)
    both = Product([NearestCluster(), SplitterSays()])
    torch.testing.assert_close(both.of(evidence), near * said)
    assert both.needs == {"features"}
    assert both.name.split(" x ")[1] == SplitterSays().name
    with pytest.raises(UsageError, match=r"^no part says how sure labels are"):
        Product([])


def test_files_of_all_parts_are_told(tmp_path):
    paths = [str(tmp_path / f"{seed}.safetensors") for seed in (1, 2)]
    for seed, path in enumerate(paths):
        drawn_codebook(seed).save(path)
    part = Product([SeedAgreement(paths[:1]), SeedAgreement(paths[1:])])
    part.setup(5)
    first, second = (drawn_codebook(seed).sha256() for seed in (0, 1))
    assert dict(part.sources) == {"codebook_1": first, "2/codebook_1": second}


class TestProduct(ConfidenceContract):
    def confidence(self):
        return Product([NearestCluster(), SplitterSays()])
