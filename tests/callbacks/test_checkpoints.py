"""Which steps become checkpoints, and what they say of it."""

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from callbacks.checkpoints import AgreedCheckpoint, LastCheckpoint
from relief.schema.errors import UsageError

FIGURES = [0.1, 0.2, 0.9, 0.1, 0.6, 0.7, 0.3, 0.1]  # means of two: .15, .5, .65, .2


class Teaching(pl.LightningModule):
    """Logs a figure of each step; its weight is the number of steps."""

    def __init__(self, stops_after: int | None = None) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.stops_after = stops_after

    def training_step(self, batch, index):
        del batch, index
        if self.global_step == self.stops_after:
            raise KeyboardInterrupt
        self.log("train/agreement", FIGURES[self.global_step])
        return -self.weight

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


def fit(folder, model, figure="train/agreement", resumed=None):
    agreed, last = AgreedCheckpoint(2, figure), LastCheckpoint(1)
    agreed.dirpath = last.dirpath = str(folder)
    trainer = pl.Trainer(
        max_steps=len(FIGURES),
        accelerator="cpu",
        callbacks=[agreed, last],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, DataLoader(range(len(FIGURES))), ckpt_path=resumed)


def kept(folder):
    return torch.load(folder / "agreed.ckpt", weights_only=True)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("stops_after", [None, 3, 4, 5, 7])
def test_the_steps_with_the_highest_mean_agreement_are_kept(tmp_path, stops_after):
    if stops_after is not None:
        with pytest.raises(SystemExit):
            fit(tmp_path, Teaching(stops_after))
    resumed = None if stops_after is None else str(tmp_path / "last.ckpt")
    fit(tmp_path, Teaching(), resumed=resumed)
    found = kept(tmp_path)
    assert found["global_step"] == 6
    assert found["state_dict"]["weight"] == 6
    assert found["choice"] == "train/agreement, mean of 2 steps"
    assert "selection" not in found
    assert "choice" not in torch.load(tmp_path / "last.ckpt", weights_only=True)


@pytest.mark.filterwarnings("ignore")
def test_a_figure_that_the_training_does_not_have_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"^agreed\.ckpt is chosen by train/nothing, which"):
        fit(tmp_path, Teaching(), "train/nothing")
