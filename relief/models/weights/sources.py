"""Where published weights come from, under which license, and what taught them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

WEIGHT_SUFFIXES = (".safetensors", ".pth", ".pt", ".npy", ".npz")
_META = "https://dl.fbaipublicfiles.com"
_HUGGING_FACE = "https://huggingface.co"
_DRIVE = "https://drive.usercontent.google.com/download?export=download&confirm=t&id="
_SELF_SUPERVISED = "self-supervised, no labels"
CAUSE_HEADS = {
    "mean": (
        "the last stage of CAUSE-TR tuned its mean head with the ground truth of Cityscapes train"
    ),
    "student": (
        "the student head of CAUSE-TR is nearly label-free: the ground truth of Cityscapes train "
        "only scaled its gradients, which were clipped together with a probe's"
    ),
}
CAUSE_PROBE = "the probe was learned on the mean head of CAUSE-TR while ground truth tuned that"
_CAUSE_LICENSE = "see github.com/ByungKwanLee/Causal-Unsupervised-Segmentation"
_DEPTH_LABELS = "trained with depth labels"


@dataclass(frozen=True)
class WeightSource:
    """One thing to download: a file, or a folder of files.

    Attributes:
        name: The end of its path in configurations, without suffix: `weights/NAME.safetensors`,
            or `weights/NAME` for a folder.
        license: Name of the license, or where it is told.
        supervision: Which labels it was trained with, if any.
        url: Of the one file; empty for a folder.
        files: URL by file name, for a folder. Any folder may have its name: it is meant only where
            an argument is called `model`.
        suffix: Of the published file, where its URL does not tell.
        by_hand: What to do where it cannot be downloaded, or where a download needs a person.
    """

    name: str
    license: str
    supervision: str
    url: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ".pth"
    by_hand: str = ""

    @property
    def path(self) -> str:
        """Where recipes look for it."""
        return f"weights/{self.name}{'' if self.files else '.safetensors'}"

    @property
    def addresses(self) -> tuple[str, ...]:
        """All URLs."""
        return (self.url,) if self.url else tuple(self.files.values())


def _model_folder(name: str, model: str, license_name: str) -> WeightSource:
    files = ("config.json", "preprocessor_config.json", "model.safetensors")
    return WeightSource(
        name,
        license_name,
        _DEPTH_LABELS,
        files={file: f"{_HUGGING_FACE}/{model}/resolve/main/{file}" for file in files},
    )


def _dinov2(size: str) -> WeightSource:
    url = f"{_META}/dinov2/dinov2_{size}/dinov2_{size}_pretrain.pth"
    return WeightSource(f"dinov2_{size}", "Apache 2.0", f"{_SELF_SUPERVISED} (LVD-142M)", url)


def _dino(name: str, published: str) -> WeightSource:
    url = f"{_META}/dino/{published}/{published}.pth"
    return WeightSource(name, "Apache 2.0", f"{_SELF_SUPERVISED} (ImageNet images)", url)


def _cause(name: str, suffix: str, drive_id: str, supervision: str) -> WeightSource:
    return WeightSource(
        f"cause/{name}",
        _CAUSE_LICENSE,
        supervision,
        _DRIVE + drive_id,
        suffix=suffix,
        by_hand=f"download https://drive.google.com/file/d/{drive_id}",
    )


def _spidepth(name: str) -> WeightSource:
    return WeightSource(
        f"spidepth/{name}",
        f"see {_HUGGING_FACE}/MykolaL/SPIdepth",
        "self-supervised depth on a body pre-trained with ImageNet labels",
        f"{_HUGGING_FACE}/MykolaL/SPIdepth/resolve/main/cityscapes/{name}.pth",
    )


SOURCES: tuple[WeightSource, ...] = (
    _dinov2("vits14"),
    _dinov2("vitb14"),
    _dinov2("vitl14"),
    _dinov2("vitg14"),
    _dino("dino_vits8", "dino_deitsmall8_pretrain"),
    _dino("dino_vitb8", "dino_vitbase8_pretrain"),
    _dino("dino_resnet50", "dino_resnet50_pretrain"),
    WeightSource(
        "resnet101_imagenet",
        "BSD 3-Clause",
        "ImageNet labels",
        "https://download.pytorch.org/models/resnet101-5d3b4d8f.pth",
    ),
    _cause(
        "segment_tr",
        ".pth",
        "1NgXCO_rd_wagMYOxadbLsB_24xiQ3PkX",
        "; ".join(f"which: {which}: {told}" for which, told in CAUSE_HEADS.items()),
    ),
    _cause(
        "modular",
        ".npy",
        "1toqM7RYViIJhWmxyWiyQS4X-xJgIFwCd",
        f"{_SELF_SUPERVISED} (Cityscapes train)",
    ),
    _cause("cluster_tr", ".pth", "12DQmueN8pHx-kKasGWbJS-NmjdVnwb0Y", CAUSE_PROBE),
    _spidepth("encoder"),
    _spidepth("depth"),
    _model_folder(
        "depth_anything_v2_small", "depth-anything/Depth-Anything-V2-Small-hf", "Apache 2.0"
    ),
    _model_folder("zoedepth_nyu_kitti", "Intel/zoedepth-nyu-kitti", "MIT"),
    _model_folder("depth_pro", "apple/DepthPro-hf", "see huggingface.co/apple/DepthPro-hf"),
    WeightSource(
        "kmeans_centroids_k80",
        "see the repository it comes from",
        "cluster_to_class is a majority vote of Cityscapes validation ground truth",
        suffix=".npz",
        by_hand="take kmeans_centroids.npz from the published code",
    ),
)


def find_source(path: str, sources: tuple[WeightSource, ...] = SOURCES) -> WeightSource | None:
    """The source of a path in a configuration: the one whose name ends it, suffix aside."""
    whole = PurePosixPath(path)
    is_file = whole.suffix in WEIGHT_SUFFIXES
    parts = (whole.with_suffix("") if is_file else whole).parts
    for source in sources:
        name = PurePosixPath(source.name).parts
        if bool(source.files) != is_file and parts[-len(name) :] == name:
            return source
    return None


def how_to_get(path: Path | str, otherwise: str) -> str:
    """Tells the command for a path whose source is known; else the other sentence."""
    if find_source(str(path)) is None:
        return otherwise
    return f"Run `{get_command([str(path)])}`."


def get_command(paths: Sequence[str]) -> str:
    """The command that gets weights by their paths."""
    return f"python -m relief.models.weights get {shlex.join(paths)}"


def find_on_hub(model: str, sources: tuple[WeightSource, ...] = SOURCES) -> WeightSource | None:
    """The source whose files lie in that repository of Hugging Face."""
    start = f"{_HUGGING_FACE}/{model}/resolve/"
    for source in sources:
        if source.files and all(url.startswith(start) for url in source.files.values()):
            return source
    return None
