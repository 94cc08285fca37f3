import numpy as np
import pytest

from relief.studies.sweeps.sweep_images import image_tables
from relief.studies.sweeps.table_cache import fingerprint
from tests.relief.studies.sweeps.test_sweep_images import root, work
from tests.relief.studies.tiny import KEYS

__all__ = ["root"]


def test_other_configurations_do_not_share_tables(root, tmp_path):
    image_tables([work(root, tmp_path)], KEYS[0])
    other = work(root, tmp_path, mark="b")
    before = (tmp_path / f"{KEYS[0]}.npz").read_bytes()
    image_tables([other], KEYS[0])
    assert (tmp_path / f"{KEYS[0]}.npz").read_bytes() != before
    assert fingerprint(a=1) != fingerprint(a=2)


@pytest.mark.parametrize("damage", ["cut", "another shape", "another format"])
def test_damaged_tables_are_made_again(root, tmp_path, damage):
    image_tables([work(root, tmp_path)], KEYS[0])
    path = tmp_path / f"{KEYS[0]}.npz"
    whole = path.read_bytes()
    if damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "another shape":
        arrays = dict(np.load(path))
        np.savez(path, **{**arrays, "0/0/areas": np.zeros((2, 2), np.int32)})
    else:
        with path.open("wb") as file:
            np.save(file, np.eye(3))
    image_tables([work(root, tmp_path)], KEYS[0])
    assert path.read_bytes() == whole
