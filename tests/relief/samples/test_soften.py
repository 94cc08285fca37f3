import numpy as np
import pytest

from relief.ops.splitting.depth_softness import edge_softness_px
from relief.samples.soften import soften
from relief.schema.errors import UsageError


def test_every_file_is_softened_the_same_way_again(tmp_path):
    depth = np.full((80, 120), 0.8, np.float32)
    depth[20:60, 30:90] = 0.3
    path = tmp_path / "depth" / "val" / "bonn" / "a.npy"
    path.parent.mkdir(parents=True)
    np.save(path, depth)
    assert soften(tmp_path / "depth", 2.0) == 1
    soft = np.load(tmp_path / "depth_soft_2px" / "val" / "bonn" / "a.npy")
    assert soft.dtype == np.float32
    assert edge_softness_px(soft) == pytest.approx(2.0, rel=0.3)
    soften(tmp_path / "depth", 2.0, out=tmp_path / "again")
    np.testing.assert_array_equal(np.load(tmp_path / "again" / "val" / "bonn" / "a.npy"), soft)
    np.testing.assert_array_equal(np.load(path), depth)


def test_no_files_are_told(tmp_path):
    with pytest.raises(UsageError, match="no depth files"):
        soften(tmp_path, 2.0)
