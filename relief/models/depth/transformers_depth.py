"""Any monocular depth model of the transformers library, from local files."""

from __future__ import annotations

import inspect
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from relief.models.backbones.provenance import Provenance
from relief.models.depth.refused_images import ORDINARY_PX, depth_or_refusal
from relief.models.weights.files import recorded_sha256, refuse_not_finite
from relief.models.weights.sources import how_to_get
from relief.ops.relative_depth import relative_at
from relief.schema.errors import UsageError, WeightsError

# Of the last two, older and newer versions of the library write one.
CONFIG_FILES = ("config.json", "preprocessor_config.json", "processor_config.json")
# Whether a family's values, after its own post-processing, are large where it is near.
IS_INVERSE = {"dpt": True, "zoedepth": False, "depth_pro": False, "glpn": False}


class TransformersDepth(nn.Module):
    """Any network of `AutoModelForDepthEstimation`: Depth Anything, ZoeDepth, DepthPro, DPT, GLPN.

    Images go through the model's own preprocessing and its own post-processing, which for DepthPro
    turns inverse depth into metres. Nothing is downloaded here.

    Args:
        model: A folder with `config.json`, `preprocessor_config.json` (or `processor_config.json`)
            and `.safetensors`, or the id of a model that is already in the library's cache. Python
            files in it are never run.
        inverse: Whether the model's values are large where it is near; then 1 - min-max. `None`
            takes what is known of the model's family.
        max_depth_m: Metric depth beyond this counts as this far, so that an open sky does not
            press everything else together. `None` keeps all.
        supervision: Labels that the weights depended on, for the manifest.
    """

    def __init__(
        self,
        model: str | Path,
        inverse: bool | None = None,
        max_depth_m: float | None = None,
        supervision: str = "the depth network was trained with depth labels",
    ) -> None:
        super().__init__()
        self.path = str(model)
        self.inverse = inverse
        self.max_depth_m = max_depth_m
        self.supervision = supervision
        self._hashes: dict[str, str] = {}
        self.model: nn.Module | None = None
        self.processor: Any = None

    def setup(self) -> None:
        """Loads the model once, from local files only.

        Raises:
            WeightsError: Files are missing, damaged, of another model, or need code to be run.
            UsageError: The library is missing, or the family is unknown and `inverse` not set.
        """
        if self.model is not None:
            return
        folder = self._folder()
        self.model, self.processor = self._load(folder)
        self.eval().requires_grad_(False)
        if self.inverse is None:
            self.inverse = self._known_direction()
        files = [path for name in CONFIG_FILES if (path := folder / name).is_file()]
        files += sorted(folder.glob("[!.]*.safetensors"))
        self._hashes = {file.name: recorded_sha256(file) for file in files}

    @property
    def provenance(self) -> Provenance:
        """Hashes of the files, known after `setup`, and what they learned from."""
        return {
            "weights": self._hashes,
            "supervision": (self.supervision,) if self.supervision else (),
            "notes": ("depth is 1 - minmax of inverse depth",) if self.inverse else (),
        }

    @property
    def description(self) -> dict[str, object]:
        """Describes the origin of the depth, for a manifest; without paths."""
        return {
            "part": f"{type(self).__module__}.{type(self).__qualname__}",
            "model": type(self.model).__name__ if self.model is not None else None,
            "inverse": self.inverse,
            "max_depth_m": self.max_depth_m,
            "conversion": "1 - minmax(x)" if self.inverse else "minmax(x)",
            **self.provenance,
        }

    @torch.no_grad()
    def forward(self, image: Tensor, size: tuple[int, int]) -> Tensor:
        """The model's own values.

        Args:
            image: (B, 3, H, W) float32 in [0, 1].
            size: (height, width) of the result.

        Returns:
            (B, 1, *size) float32: metres, or inverse depth without a unit where `inverse`.

        Raises:
            ReadError: The network cannot take an image of this size.
        """
        if self.model is None:
            raise RuntimeError("Expected the weights to be loaded. Call `setup()` first.")
        values = [depth_or_refusal(partial(self._values, size=size), one) for one in image]
        return torch.stack(values)[:, None]

    def relative_depth(self, image: Tensor, size: tuple[int, int]) -> Tensor:
        """(B, 3, H, W) float32 in [0, 1] -> (B, 1, *size) float32 in [0, 1], 0 near, 1 far.

        Raises:
            ReadError: As `forward`.
        """
        values = self(image, size)
        if self.max_depth_m is not None and not self.inverse:
            values = values.clamp(max=self.max_depth_m)
        return relative_at(values, size, inverse=bool(self.inverse))

    def _values(self, image: Tensor, size: tuple[int, int]) -> Tensor:
        """One image at a time: models that cut to the image's shape do not depend on the batch."""
        assert self.model is not None
        levels = (image * 255).round().to(torch.uint8)  # as the library is given pictures
        inputs = self.processor(images=levels, return_tensors="pt")
        outputs = self.model(pixel_values=inputs["pixel_values"].to(image.device))
        finish = self.processor.post_process_depth_estimation
        options = {"target_sizes": [size]}
        if "source_sizes" in inspect.signature(finish).parameters:  # models that pad the image
            options["source_sizes"] = [(image.shape[-2], image.shape[-1])]
        values: Tensor = finish(outputs, **options)[0]["predicted_depth"]
        return values.reshape(size).float()

    def _folder(self) -> Path:
        if Path(self.path).is_dir():
            return Path(self.path)
        try:
            from huggingface_hub import snapshot_download

            return Path(snapshot_download(self.path, local_files_only=True))
        except (ImportError, OSError, ValueError) as error:
            otherwise = "Name the folder of a model, or one of Hugging Face after `hf download`."
            remedy = how_to_get(self.path, otherwise)
            msg = f"cannot load weights: {self.path} (no such folder). {remedy}"
            raise WeightsError(msg) from error

    def _load(self, folder: Path) -> tuple[nn.Module, Any]:
        try:
            from transformers import AutoImageProcessor, AutoModelForDepthEstimation, logging
        except ImportError as error:
            msg = "transformers is not installed: depth model. pip install transformers."
            raise UsageError(msg) from error
        logging.disable_progress_bar()
        # Without the last one the library asks at the terminal whether to run a folder's code.
        local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        try:
            model, info = AutoModelForDepthEstimation.from_pretrained(
                folder,
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
                **local,
            )
            processor = AutoImageProcessor.from_pretrained(folder, **local)
            processor(images=torch.zeros(3, ORDINARY_PX, ORDINARY_PX), return_tensors="pt")
        except MemoryError:
            raise
        except Exception as error:  # whatever a wrong value in a .json happens to break
            raise self._unusable(error) from error
        missing = sorted(info["missing_keys"]) + sorted(map(str, info["mismatched_keys"]))
        if missing:
            msg = (
                f"cannot load weights: {self.path} (no {missing[0]} and {len(missing) - 1} more). "
                "Download it again."
            )
            raise WeightsError(msg)
        refuse_not_finite(model.state_dict(), self.path)
        return model, processor

    def _unusable(self, error: Exception) -> WeightsError:
        text = " ".join(str(error).split()) or type(error).__name__
        if "trust_remote_code" in text:
            what, remedy = "needs code of its own", "Name a model that transformers knows"
        else:
            what, remedy = text[:120], "Download it again"
        return WeightsError(f"cannot load weights: {self.path} ({what}). {remedy}.")

    def _known_direction(self) -> bool:
        assert self.model is not None
        config: Any = self.model.config
        kind = getattr(config, "depth_estimation_type", None)
        if kind is not None:
            return bool(kind == "relative")
        if config.model_type not in IS_INVERSE:
            msg = (
                f"direction of depth is not known: {config.model_type}. Set inverse: true or false."
            )
            raise UsageError(msg)
        return IS_INVERSE[config.model_type]
