"""The codebook: centroids, and which of them are things, groups and classes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from relief.formats.files.atomic import write_bytes
from relief.models.weights.files import refuse_not_finite
from relief.schema.errors import WeightsError
from relief.schema.label_spaces import VOID, label_space, thing_mask
from relief.schema.plain_text import json_of, sentences_of

METADATA_KEY = "codebook"
FORMAT_VERSION = 1
_NAMES = ("centroids", "thing_ids", "groups", "class_of_cluster")
_DTYPES = (torch.float32, torch.bool, torch.int64, torch.int64)


class Codebook(nn.Module):
    """Clusters of the feature space. Empty at first; filled by a fit or from a file.

    Where the codebook knows classes (`oracle_classes`, `metadata["classes"]` names the label
    space), categories are classes; else they are clusters.

    Args:
        k: The number of clusters that is going to be asked for, if it is known.

    Attributes:
        centroids: (k, C) float32, raw means.
        thing_ids: (k,) bool, true for thing clusters.
        groups: (k,) int64, 0..G-1 for thing clusters that are split together, -1 for stuff.
        class_of_cluster: (k,) int64 class ids, -1 = none.
        metadata: JSON-able; where the codebook comes from and how things and groups were decided.
        sources: SHA-256 of files that others published and its centroids come from, by what they
            hold; empty for a fit. For manifests, known before any work.

    Example:
        >>> codebook = Codebook(k=2)
        >>> codebook.is_fitted
        False
        >>> codebook.set_centroids(torch.tensor([[3.0, 4.0], [0.0, 1.0]]))
        >>> codebook.num_categories, [round(x, 1) for x in codebook.unit_centroids[0].tolist()]
        (2, [0.6, 0.8])
    """

    centroids: Tensor
    thing_ids: Tensor
    groups: Tensor
    class_of_cluster: Tensor

    def __init__(self, k: int | None = None) -> None:
        super().__init__()
        self._wanted_k = k
        self.metadata: dict[str, Any] = {}
        self.sources: Mapping[str, str] = {}
        empty = (torch.zeros(0, 0), *(torch.zeros(0, dtype=dtype) for dtype in _DTYPES[1:]))
        for name, tensor in zip(_NAMES, empty, strict=True):
            self.register_buffer(name, tensor, persistent=False)

    @property
    def is_fitted(self) -> bool:
        """Whether there are centroids."""
        return len(self.centroids) > 0

    @property
    def wanted_k(self) -> int:
        """The number of clusters asked for; the fitted one can be lower."""
        return len(self.centroids) if self._wanted_k is None else self._wanted_k

    @property
    def unit_centroids(self) -> Tensor:
        """(k, C) centroids of length 1, as similarities need them."""
        return F.normalize(self.centroids, dim=1)

    @property
    def num_classes(self) -> int:
        """Classes of the label space the clusters were named in; 0 for plain clusters."""
        classes = self.metadata.get("classes")
        return label_space(classes).num_classes if classes else 0

    @property
    def num_categories(self) -> int:
        """Ids that a semantic map made with this codebook may hold."""
        return self.num_classes or len(self.centroids)

    @property
    def thing_categories(self) -> Tensor:
        """(num_categories,) bool."""
        classes = self.metadata.get("classes")
        if not classes:
            return self.thing_ids
        space = label_space(classes)
        return thing_mask(space.things, space.num_classes).to(self.centroids.device)

    @property
    def category_groups(self) -> Tensor:
        """(num_categories,) int64: what is split together; with classes every one by itself."""
        if not self.num_classes:
            return self.groups
        things = self.thing_categories
        return torch.where(things, things.cumsum(0) - 1, torch.full_like(things.cumsum(0), VOID))

    def expect(self, k: int, sources: Mapping[str, str] | None = None) -> None:
        """Says how many clusters a fit is going to ask for, and which files it takes them from."""
        self._wanted_k = k
        self.sources = sources or {}

    def set_centroids(self, centroids: Tensor) -> None:
        """Fills the codebook with clusters of which nothing more is known: all are stuff."""
        k = len(centroids)
        self.fill(centroids, torch.zeros(k, dtype=torch.bool), torch.full((k,), VOID))

    def fill(
        self,
        centroids: Tensor,
        thing_ids: Tensor,
        groups: Tensor,
        class_of_cluster: Tensor | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Replaces everything; on the device where the codebook is.

        Args:
            centroids: (k, C).
            thing_ids: (k,) bool.
            groups: (k,) integers, -1 exactly where `thing_ids` is false.
            class_of_cluster: (k,) integers or `None` for no classes.
            metadata: JSON-able.

        Raises:
            ValueError: Shapes or groups do not fit each other.
        """
        classes = torch.full((len(centroids),), VOID)
        tensors = (centroids, thing_ids, groups, class_of_cluster)
        filled = [classes if tensor is None else tensor for tensor in tensors]
        problem = _mismatch(*filled)
        if problem:
            raise ValueError(problem)
        device = self.centroids.device
        for name, tensor, dtype in zip(_NAMES, filled, _DTYPES, strict=True):
            setattr(self, name, tensor.detach().to(device=device, dtype=dtype).contiguous())
        self.metadata = dict(metadata or {})

    def sha256(self) -> str:
        """Computes a digest of all that decides labels, whatever file it came from."""
        digest = hashlib.sha256()
        for name in _NAMES:
            digest.update(getattr(self, name).cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def save(self, path: Path | str) -> None:
        """Writes one file, whole or not at all; the same content gives the same bytes."""
        content = {"version": FORMAT_VERSION, "metadata": self.metadata}
        # One string: safetensors writes several metadata keys in random order.
        header = {METADATA_KEY: json.dumps(content, sort_keys=True, ensure_ascii=False)}
        tensors = {name: getattr(self, name).cpu().contiguous() for name in _NAMES}
        write_bytes(path, save(tensors, metadata=header))

    def load(self, path: Path | str, dim: int | None = None) -> None:
        """Fills the codebook from a file.

        Args:
            path: Written by `save`.
            dim: Channels the features have; a codebook of others is refused.

        Raises:
            WeightsError: The file is missing, damaged, no codebook, of another shape or not finite.
        """
        tensors, metadata = _read(Path(path))
        centroids, thing_ids, groups, class_of_cluster = (tensors[name] for name in _NAMES)
        problem = _mismatch(centroids, thing_ids, groups, class_of_cluster)
        if not problem and dim not in (None, centroids.shape[1]):
            problem = f"{centroids.shape[1]} channels, the features have {dim}"
        if problem:
            raise _refused(Path(path), problem, "Give the codebook of these features.")
        self.fill(centroids, thing_ids, groups, class_of_cluster, metadata)

    def read_if_given(self, path: Path | str | None, dim: int | None = None) -> None:
        """Loads a codebook unless `path` is `None`; see `load`."""
        if path is not None:
            self.load(path, dim)


def _mismatch(centroids: Tensor, thing_ids: Tensor, groups: Tensor, classes: Tensor) -> str:
    """Lists faults of shapes or groups; empty where all fit."""
    if centroids.ndim != 2 or len(centroids) == 0:
        return f"centroids must be (k, C) with k > 0, got {tuple(centroids.shape)}"
    for name, tensor in zip(_NAMES[1:], (thing_ids, groups, classes), strict=True):
        if tensor.shape != (len(centroids),):
            return f"{name} must be ({len(centroids)},), got {tuple(tensor.shape)}"
    if not torch.equal(groups >= 0, thing_ids.bool()):
        return "groups must be -1 for stuff and at least 0 for things"
    return ""


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    if not path.is_file():
        raise _refused(path, "no such file", "Check the path.")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise _refused(path, "not a readable codebook", "Fit it again.") from error
    try:
        content = json_of(header[METADATA_KEY])
        version, metadata = content["version"], dict(content["metadata"])
        if metadata.get("classes"):
            label_space(metadata["classes"])
        for name in ("supervision", "notes"):
            sentences_of(metadata, name)
    except (KeyError, TypeError, ValueError) as error:
        raise _refused(path, "no codebook", "Give a codebook.safetensors.") from error
    if version != FORMAT_VERSION:
        problem = f"format {version!r}, this version reads {FORMAT_VERSION}"
        raise _refused(path, problem, "Fit it again.")
    if set(tensors) != set(_NAMES):
        missing = ", ".join(sorted(set(_NAMES) ^ set(tensors)))
        raise _refused(path, f"no codebook: {missing}", "Give a codebook.safetensors.")
    refuse_not_finite(tensors, path)
    return tensors, metadata


def _refused(path: Path, problem: str, remedy: str) -> WeightsError:
    return WeightsError(f"cannot load codebook: {path} ({problem}). {remedy}")
