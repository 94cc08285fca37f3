"""CAUSE's codebook and head, learned from images alone on the tokens of a frozen body."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
import yaml
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor, nn

from lightning_modules.repeatable_steps import RepeatableSteps
from relief.formats.files.atomic import write_text
from relief.models.backbones.headed import HeadedBackbone, save_head, tokens_of
from relief.models.backbones.provenance import Provenance, no_weights
from relief.models.codebook_fitters.published import PublishedProbe
from relief.models.heads.head_learner import HeadLearner, HeadSettings, MakeHead
from relief.ops.cause_training import pair_shares
from relief.ops.token_sampling import draw_half_of_each_code, tile_tokens, tokens_per_image
from relief.schema.batch import ImageBatch
from relief.schema.errors import UsageError
from relief.schema.parts import Backbone

HEAD_FILE = "cause_head.safetensors"
PART = f"{HeadedBackbone.__module__}.{HeadedBackbone.__qualname__}"
PROBE_PART = f"{PublishedProbe.__module__}.{PublishedProbe.__qualname__}"


class CauseHeadTrainer(RepeatableSteps):
    """First a codebook by modularity, then a head by contrast and its moving average.

    Written at the end: `OUT/cause_head.safetensors`, and `OUT/backbone.yaml`, which joins it with
    the body: `label.py --model.init_args.backbone OUT/backbone.yaml`. Where a probe learned beside
    the head, `--fitter.init_args.kmeans OUT/probe.yaml` takes it in place of k-means.

    On several processes gradients are averaged, and all of them share one bank; give
    `--trainer.strategy ddp_find_unused_parameters_true`, for the parts never all learn at once.

    Args:
        backbone: The frozen body; any that fits `Backbone`.
        head: Makes the head for (channels of the tokens, entries of the codebook).
        settings: The numbers of both parts; `HeadSettings()`, as published, unless given.
        codebook_steps: Steps of the codebook; the rest of `trainer.max_steps` is the head's.
        keep_tokens: Compute the tokens of every view once and keep them in memory; for small sets.
        codebook_lr: Learning rate of codebook and probe; that of the optimizer unless given.
        keep_at: Steps after which the head is kept too, in `cause_head_STEP.safetensors`.
        optimizer: Takes groups of parameters; Adam as published unless given.
        seed: Of initial weights, sampling and dropout.
    """

    def __init__(
        self,
        backbone: nn.Module,
        head: MakeHead,
        settings: HeadSettings = HeadSettings(),  # noqa: B008  # frozen
        codebook_steps: int = 233,
        keep_tokens: bool = False,
        codebook_lr: float | None = None,
        keep_at: Sequence[int] = (),
        optimizer: OptimizerCallable = lambda groups: torch.optim.Adam(groups, lr=4e-3),
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.backbone, self.make_head, self.settings = backbone, head, settings
        self.codebook_steps, self.codebook_lr = codebook_steps, codebook_lr
        self.keep_at = tuple(keep_at)
        self._kept: dict[str, Tensor] | None = {} if keep_tokens else None
        self.make_optimizer, self.seed = optimizer, seed
        self._recipe: Mapping[str, Any] = {}

    def keep_settings(self, arguments: Mapping[str, Any]) -> None:
        """Keeps for the files what the configuration says of body and head."""
        self._recipe = arguments

    def start_mark(self) -> str:
        """Returns what body the training is of: hashes of its weights by role."""
        cast(Backbone, self.backbone).setup()
        return json.dumps(self.body_provenance["weights"], sort_keys=True)

    def find_start(self) -> None:
        """Reads the weights of the body."""
        cast(Backbone, self.backbone).setup()

    @property
    def body_provenance(self) -> Provenance:
        """Hashes, supervision and notes of the body."""
        provenance: Provenance = getattr(self.backbone, "provenance", no_weights())
        return provenance

    def configure_model(self) -> None:
        """Makes codebook and heads for the tokens of the body, once."""
        if hasattr(self, "learner"):
            return
        self.find_start()
        self.backbone.eval()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            width = cast(Backbone, self.backbone).dim
            self.learner = HeadLearner(width, self.make_head, self.settings)

    @torch.no_grad()
    def tokens(self, batch: ImageBatch) -> tuple[Tensor, tuple[int, int]]:
        """Returns the tokens of the body (B, h w, C) float32 and (h, w)."""
        if self._kept is None:
            return tokens_of(self.backbone(batch["image"]).float())
        for key, image in zip(batch["key"], batch["image"], strict=True):
            if key not in self._kept:  # each alone: the others of a batch are others every time
                self._kept[key] = self.backbone(image[None]).float().cpu()
        grids = torch.cat([self._kept[key] for key in batch["key"]])
        return tokens_of(grids.to(batch["image"].device))

    @torch.no_grad()
    def features(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> features of the mean head (B, dim, h, w), without dropout."""
        head: Any = self.learner.teacher.head
        head.eval()
        features: Tensor = head(*tokens_of(self.backbone(image).float()))
        head.train()
        return features.float()

    def training_step(self, batch: ImageBatch, batch_idx: int) -> Tensor:
        """The loss of the codebook, later that of the head.

        Raises:
            UsageError: The views are too small to draw tokens from.
            TrainingDivergedError: The loss is not finite.
        """
        self.begin_step(batch_idx)
        tokens, size = self.tokens(batch)
        order = torch.randint(16, (len(tokens), tokens_per_image(size)))
        if order.shape[1] < 2:
            msg = f"views give {size[0]} x {size[1]} tokens: too few. Give data.views larger sides."
            raise UsageError(msg)
        picked = tile_tokens(order, size).to(tokens.device)
        loss = self.learner.codebook_loss(tokens, picked)
        logged: dict[str, Any] = {"modularity": -loss.detach()}
        if self.global_step >= self.codebook_steps:
            loss, contrast = self._contrast(tokens, size, picked)
            logged |= contrast
        if not torch.isfinite(loss):
            raise self.diverged("the loss", batch["key"])
        logged["loss"] = loss.detach()
        named = {f"train/{name}": value for name, value in logged.items()}
        self.log_dict(named, batch_size=len(tokens), sync_dist=False)
        return loss

    def _contrast(
        self, tokens: Tensor, size: tuple[int, int], picked: Tensor
    ) -> tuple[Tensor, dict[str, Any]]:
        learner = self.learner
        if self.global_step == self.codebook_steps:
            learner.freeze_codebook()
        loss, codes, taught, probe_loss = learner.contrast_loss(tokens, size, picked)
        alike, unlike = pair_shares(
            codes, learner.codebook, self.settings.positive, self.settings.negative
        )
        logged = {
            "contrast": loss.detach(),
            "codes_in_batch": float(codes.unique().numel()),
            "pairs_alike": alike,
            "pairs_unlike": unlike,
            "bank": float(len(learner.bank.codes)),
        }
        if probe_loss is not None:
            logged["probe_modularity"] = -probe_loss.detach()
            loss = loss + probe_loss
        if self.trainer.world_size > 1:
            codes, taught = (
                cast(Tensor, self.all_gather(part)).flatten(0, 1) for part in (codes, taught)
            )
        generator = torch.Generator().manual_seed(self.seed + self.global_step)
        learner.bank.add(codes, taught, draw_half_of_each_code(codes, generator))
        return loss, logged

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """One optimizer, a group for each part; the mean head follows every step of the head."""
        groups: list[dict[str, Any]] = []
        for name, parameters in self.learner.trained().items():
            groups.append({"params": parameters})
            if self.codebook_lr is not None and name != "heads":
                groups[-1]["lr"] = self.codebook_lr
        optimizer = self.make_optimizer(groups)
        optimizer.register_step_post_hook(self._follow)
        return optimizer

    def _follow(self, *_: Any) -> None:
        step = self.global_step + 1 - self.codebook_steps
        if step > 0:
            self.learner.follow(step)

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: int | float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clips the gradients of the head alone; nothing else counts in its norm, as published."""
        if self.global_step < self.codebook_steps:
            return
        probe = self.learner.probe
        apart = None if probe is None else probe.grad
        if probe is not None:
            probe.grad = None
        self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
        if probe is not None:
            probe.grad = apart

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leaves out the body, which is on the disk already."""
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {n: t for n, t in state.items() if not n.startswith("backbone.")}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Puts the body back in."""
        body = {f"backbone.{name}": t for name, t in self.backbone.state_dict().items()}
        checkpoint["state_dict"] |= body

    def on_train_batch_end(self, *_: Any) -> None:
        """Keeps the head at the steps asked for."""
        if self.global_step in self.keep_at and self.trainer.is_global_zero:
            self._write(f"{Path(HEAD_FILE).stem}_{self.global_step}.safetensors")

    def on_train_end(self) -> None:
        """Writes the head, and beside it the parts that `label.py` takes."""
        if not self.trainer.is_global_zero:
            return
        out = self._write(HEAD_FILE)
        arguments = {"body": self._recipe.get("backbone"), "head": str(out / HEAD_FILE)}
        part = {"class_path": PART, "init_args": arguments}
        write_text(out / "backbone.yaml", yaml.safe_dump(part, sort_keys=False))
        if self.settings.probe is not None:
            arguments = {"path": str(out / HEAD_FILE), "k": self.settings.probe, "supervision": ""}
            probe = {"class_path": PROBE_PART, "init_args": arguments}
            write_text(out / "probe.yaml", yaml.safe_dump(probe, sort_keys=False))

    def _write(self, name: str) -> Path:
        """Writes the head as it is now; returns the folder."""
        provenance, out = self.body_provenance, Path(self.trainer.default_root_dir)
        about = {
            "head": self._recipe.get("head"),
            "body": provenance["weights"],
            "supervision": list(provenance["supervision"]),
            "steps": {"codebook": self.codebook_steps, "all": self.global_step},
            "seed": self.seed,
        }
        save_head(out / name, self.learner.tensors(), about)
        return out
