import numpy as np
import pytest
import torch

from relief.ops.cuts.patch_graph import binarised, binary_affinity, cosines, second_eigenvector


def drawn(height, width, seed, blobs=3):
    """Features of some blobs before a background, all pairs clearly alike or not."""
    random = np.random.default_rng(seed)
    directions = np.linalg.qr(random.standard_normal((16, 16)))[0]
    which = np.zeros((height, width), int)
    for blob in range(1, blobs + 1):
        row, column = random.integers(1, height - 5), random.integers(1, width - 5)
        which[row : row + random.integers(3, 6), column : column + random.integers(3, 6)] = blob
    noise = 0.02 * random.standard_normal((height, width, 16))
    return torch.from_numpy(directions[which] + noise).permute(2, 0, 1).float()


@pytest.mark.parametrize("size, seed", [((13, 17), 5), ((14, 11), 6), ((20, 20), 7)])
def test_lanczos_finds_what_lapack_finds(size, seed):
    affinity = binary_affinity(drawn(*size, seed))
    fast, judge = second_eigenvector(affinity), second_eigenvector(affinity, dense=True)
    assert len(fast) >= 100  # else the dense solver is asked anyway
    torch.testing.assert_close(fast, judge, atol=1e-8 * float(judge.max()), rtol=0)
    degree = affinity.sum(1)
    assert float((degree * fast**2).sum()) == pytest.approx(1, abs=1e-9)
    assert float(fast[fast.abs().argmax()]) > 0
    again = second_eigenvector(affinity)
    assert torch.equal(again, fast)


def test_affinity_is_strictly_above_the_threshold_and_symmetric():
    patches = torch.tensor([[1.0, 0, 0, 0], [0.5, 0.5, 0.5, 0.5], [0, 1, 1, 1], [0, 0, 0, 0]])
    features = patches.T[:, None]
    affinity = binary_affinity(features, threshold=0.5, eps=0.25)
    assert affinity.dtype == torch.float64
    assert affinity.tolist() == [
        [1, 0.25, 0.25, 0.25],
        [0.25, 1, 1, 0.25],
        [0.25, 1, 1, 0.25],
        [0.25, 0.25, 0.25, 0.25],
    ]
    kept = binarised(cosines(features), 0.5, 0.25, binarise=False)
    assert kept[0].tolist() == pytest.approx([1, 0.5, 0.25, 0.25])


def test_a_matrix_that_is_no_affinity_is_refused():
    with pytest.raises(ValueError, match="square"):
        second_eigenvector(torch.rand(3, 4))
    with pytest.raises(ValueError, match="finite"):
        second_eigenvector(torch.full((3, 3), torch.nan))
