from types import SimpleNamespace

import cv2
import torch

from callbacks.teaching_logger import TeachingLogger, paint_taught
from relief.schema.training_parts import TaughtPixels


def pixels():
    category = torch.tensor([[0, 1, 2]] * 2)
    margin = torch.tensor([[0.5, 0.0, -0.5]] * 2)
    return TaughtPixels(torch.rand(3, 2, 3), category, margin, category.where(margin > 0, -1))


def test_four_pictures_stand_side_by_side():
    picture = paint_taught(pixels(), 3)
    assert picture.shape == (2, 12, 3)
    margin = picture[0, 6:9]
    assert margin[0][1] > 0 and margin[0][0] == 0
    assert not margin[1].any()
    assert margin[2][0] > 0 and margin[2][1] == 0
    assert (picture[:, 3] == picture[:, 9]).all()  # learned as it was seen
    assert (picture[:, 10] == picture[:, 11]).all()  # void


def test_a_picture_is_written_every_so_many_steps(tmp_path):
    module = SimpleNamespace(
        criterion=SimpleNamespace(pictures=pixels()), classes=SimpleNamespace(num_categories=3)
    )
    logger = TeachingLogger(every_n_steps=2)
    for step in (1, 2, 3, 4):
        trainer = SimpleNamespace(
            global_step=step, is_global_zero=True, default_root_dir=str(tmp_path)
        )
        logger.on_train_batch_end(trainer, module, None, None, step)
    names = sorted(path.name for path in (tmp_path / "overlays").iterdir())
    assert names == ["step_000002.jpg", "step_000004.jpg"]
    assert cv2.imread(str(tmp_path / "overlays" / names[0])).shape == (2, 12, 3)
    module.criterion.pictures = None
    logger.on_train_batch_end(
        SimpleNamespace(global_step=6, is_global_zero=True, default_root_dir=str(tmp_path)),
        module, None, None, 6,
    )  # fmt: skip
    assert len(list((tmp_path / "overlays").iterdir())) == 2
