import pytest
import torch

from relief.models.confidence.seed_agreement import SeedAgreement
from relief.schema.errors import UsageError, WeightsError
from tests.contracts.confidence import ConfidenceContract, drawn_codebook, drawn_evidence


def test_the_same_clusters_in_another_order_agree_fully(tmp_path):
    codebook = drawn_codebook()
    codebook.set_centroids(codebook.centroids.flip(0))
    codebook.save(tmp_path / "other.safetensors")
    part = SeedAgreement([str(tmp_path / "other.safetensors")])
    part.setup(5)
    torch.testing.assert_close(part.of(drawn_evidence()), torch.ones(48, 80))
    assert dict(part.sources) == {"codebook_1": codebook.sha256()}


def test_other_clusters_agree_less_and_what_cannot_be_read_is_told(tmp_path):
    drawn_codebook(seed=9).save(tmp_path / "other.safetensors")
    part = SeedAgreement([str(tmp_path / "other.safetensors")])
    with pytest.raises(WeightsError, match="5 channels, the features have 7"):
        part.setup(7)
    part.setup(5)
    assert part.of(drawn_evidence()).max() < 1
    with pytest.raises(WeightsError, match="no such file"):
        SeedAgreement([str(tmp_path / "none")]).setup(5)
    with pytest.raises(UsageError, match=r"^no codebook to agree with"):
        SeedAgreement([])


class TestSeedAgreement(ConfidenceContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self.path = tmp_path / "other.safetensors"
        drawn_codebook(seed=9).save(self.path)

    def confidence(self):
        part = SeedAgreement([str(self.path)])
        part.setup(5)
        return part
