import numpy as np
import pytest
import torch

from relief.metrics.segment_rows import (
    empty_rows,
    image_number,
    image_rows,
    images_once,
    load_rows,
    save_rows,
)
from relief.schema.errors import UsageError

TABLE = torch.tensor([[1, 2, 3, 4, 50], [1, 0, 3, 0, 7]])


def test_numbers_of_keys_are_stable_and_without_a_key_unique():
    assert image_number("aachen/1") == image_number("aachen/1") >= 0
    assert image_number("aachen/1") != image_number("aachen/2")
    assert image_number("stra\udcdfe") != image_number("stra\udcdee")  # names of other bytes
    without = {image_number(None) for _ in range(50)}
    assert len(without) == 50 and max(without) < 0


def test_the_first_update_of_an_image_counts():
    rows = torch.cat([
        image_rows(TABLE[:1], "a", 7), image_rows(TABLE, "a", 3), image_rows(TABLE, "b", 9),
        empty_rows(5, torch.device("cpu")),
    ])  # fmt: skip
    image, table, num_images = images_once(rows)
    assert num_images == 2
    assert sorted(image.tolist()) == [0, 0, 1, 1]
    assert table[image == 0].tolist() == table[image == 1].tolist() == TABLE.tolist()
    assert images_once(empty_rows(5, torch.device("cpu")))[2] == 0


def test_files_give_the_rows_back(tmp_path):
    rows = image_rows(TABLE, "a", 1)
    save_rows(tmp_path / "rows.npz", rows)
    assert torch.equal(load_rows(tmp_path / "rows.npz", 5), rows)


@pytest.mark.parametrize("rows", [np.zeros((2, 5), np.int64), np.zeros((2, 7)), np.array(["a"])])
def test_files_of_something_else_are_one_line(tmp_path, rows):
    path = tmp_path / "rows.npz"
    np.savez(path, rows=rows)
    with pytest.raises(UsageError, match=r"cannot read the state of a metric: .*rows\.npz"):
        load_rows(path, 5)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(UsageError, match=r"cannot read the state of a metric: .*rows\.npz"):
        load_rows(path, 5)
