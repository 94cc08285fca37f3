import torch

from relief.metrics.image_rows import ImageRows
from relief.metrics.segment_rows import images_once


class Largest(ImageRows):
    width = 1

    def update(self, values, key):
        self.add_image(values[:, None], key)

    def compute(self):
        return images_once(self.all_rows())[1]


def test_an_image_counts_once_and_files_add_up(tmp_path):
    first, second = Largest(), Largest()
    first.update(torch.tensor([4, 5]), "a")
    first.update(torch.tensor([4, 5]), "a")
    second.update(torch.tensor([4, 5]), "a")
    second.update(torch.tensor([7]), "b")
    second.save(tmp_path / "rows.npz")
    first.load(tmp_path / "rows.npz")
    assert sorted(first.compute().reshape(-1).tolist()) == [4, 5, 7]


def test_a_process_without_images_brings_no_rows_of_the_same_width():
    metric = Largest()
    assert metric.all_rows().shape == (0, 3)
    metric._sync_dist(dist_sync_fn=lambda rows, group=None: [rows, rows])
    assert metric.all_rows().shape == (0, 3)
