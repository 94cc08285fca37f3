from __future__ import annotations

import pytest
import torch

from relief.models.codebook_fitters.published import PublishedProbe
from relief.schema.errors import WeightsError
from relief.schema.parts import KMeansFitter


@pytest.fixture
def path(tmp_path) -> str:
    file = tmp_path / "cluster_tr.pth"
    probe = torch.arange(12.0).reshape(3, 4)
    torch.save({"codebook": torch.zeros(8, 16), "cluster_probe": probe}, file)
    return str(file)


def test_gives_the_stored_centroids_whatever_the_features(path):
    fitter = PublishedProbe(path, k=3)
    assert isinstance(fitter, KMeansFitter)
    expected = torch.arange(12.0).reshape(3, 4)
    assert torch.equal(fitter.fit(torch.randn(5, 4)), expected)


def test_other_shapes_and_names_are_refused(path):
    with pytest.raises(WeightsError, match=r"cluster_probe is \(3, 4\), expected \(27, channels\)"):
        PublishedProbe(path).setup()
    with pytest.raises(WeightsError, match=r"expected \(3, 90\)"):
        PublishedProbe(path, k=3).fit(torch.zeros(1, 90))
    with pytest.raises(WeightsError, match="no probe"):
        PublishedProbe(path, name="probe", k=3).fit(torch.zeros(1, 4))
