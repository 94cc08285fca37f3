"""The callbacks that every run of a script has, in the order in which they work.

Their arguments are options of the script by these names, such as `--report.names names.yaml`;
callbacks of one's own under `trainer.callbacks` come beside them.
"""

from __future__ import annotations

import pytorch_lightning as pl

from callbacks.checkpoints import BestCheckpoint, LastCheckpoint
from callbacks.interruption import Interruption
from callbacks.label_writer import LabelWriter
from callbacks.panoptic_evaluator import PanopticEvaluator
from callbacks.pass_progress import PassProgress
from callbacks.report_writer import ReportWriter
from callbacks.run_estimate import RunEstimate, TrainingEstimate
from callbacks.sample_logger import SampleLogger

Standing = dict[str, type[pl.Callback]]

LABELLING: Standing = {
    "progress": PassProgress,
    "estimate": RunEstimate,
    "interruption": Interruption,
    "writer": LabelWriter,
    "evaluator": PanopticEvaluator,
    "report": ReportWriter,
}
TRAINING: Standing = {
    "estimate": TrainingEstimate,
    "interruption": Interruption,
    "last": LastCheckpoint,
    "best": BestCheckpoint,
    "pictures": SampleLogger,
}
