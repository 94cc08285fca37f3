"""Images to panoptic pseudo-labels."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import cast

from torch import Tensor, nn

from lightning_modules.batched_looks import BatchedLooks
from lightning_modules.labeler import Labeler, Needing, origin, refuse_missing, sources_of
from relief.models.codebooks.codebook import Codebook
from relief.models.confidence.evidence import Confidence, Evidence
from relief.models.labelling.leftovers import LeaveVoid, Leftovers
from relief.models.labelling.observer import Observer
from relief.models.labelling.panoptic_labels import label_record
from relief.models.labelling.refined_segmentation import RefinedSegmentation
from relief.models.precision import Precision, run_in
from relief.schema.errors import UsageError
from relief.schema.geometry import WindowGeometry
from relief.schema.label_spaces import VOID
from relief.schema.manifest import Manifest, ManifestInputs
from relief.schema.observation import DEPTH, FEATURES, IMAGE, STUFF, LabelRecord, Observation, Split
from relief.schema.parts import Backbone, Splitter


class PseudoLabeler(Labeler):
    """Features, codebook, depth and splitter in one `predict_step`.

    Args:
        backbone: An `nn.Module` that fits `Backbone`.
        codebook: Empty at first; loaded or fitted before labels are predicted.
        splitter: Thing regions to instances.
        depth: A depth network, or `None` when depth comes with the batch or is not needed.
        geometry: The size the backbone sees, and its windows.
        split_short_side_px: The size at which splitting runs; areas and tau mean pixels there.
        segmentation: In place of one plain look: several scales, a CRF.
        leftovers: What becomes of thing pixels that no object takes; void by default.
        confidence: Says how sure the labels are; what the splitter says, if anything, unless given.
        precision: In which backbone and depth network compute; whatever follows is in float32.
        images_per_call: Networks look at so many images of a batch in one call; one by one unless
            given. Other sizes may round otherwise, so that it is a setting of the labels.
    """

    def __init__(
        self,
        backbone: nn.Module,
        codebook: Codebook,
        splitter: Splitter,
        depth: nn.Module | None = None,
        geometry: WindowGeometry | None = None,
        split_short_side_px: int = 512,
        segmentation: RefinedSegmentation | None = None,
        leftovers: Leftovers | None = None,
        precision: Precision = "float32",
        confidence: Confidence | None = None,
        images_per_call: int | None = None,
    ) -> None:
        super().__init__()
        self.looks = BatchedLooks(images_per_call)
        self.segmentation = segmentation
        self.leftovers = leftovers or LeaveVoid()
        self.backbone = backbone
        self.codebook = codebook
        self.splitter = splitter
        self.depth = depth
        self.geometry = geometry or WindowGeometry()
        self.split_short_side_px = split_short_side_px
        self.precision = precision
        self.confidence = confidence

    def expect(self, *, has_depth: bool) -> None:
        """Refuses a run without an input that the splitter or the leftover rule needs.

        Raises:
            UsageError: They need depth, and neither files nor a network give any.
        """
        given = {FEATURES, IMAGE, STUFF, *([DEPTH] if has_depth or self.depth else [])}
        refuse_missing(self._looking, given)

    def load_weights(self) -> None:
        """Reads weights and a published codebook; a refiner finds its library.

        Raises:
            WeightsError: As `Labeler.load_weights`.
            UsageError: Windows do not hold whole patches, or the refiner's library is missing.
        """
        super().load_weights()
        for network in self.networks().values():
            run_in(network, self.precision)
        self._refuse_cut_patches()
        self.codebook.read_if_given(None, cast(Backbone, self.backbone).dim)
        if self.segmentation is not None:
            self.segmentation.setup()
        if self.confidence is not None:
            self.confidence.setup(cast(Backbone, self.backbone).dim)

    def _refuse_cut_patches(self) -> None:
        """Networks differ in what they do with a part of a patch, all too late and few in words."""
        window_px, patch_px = self.geometry.window_px, cast(Backbone, self.backbone).patch_px
        if window_px % patch_px:
            fitting_px = max(1, window_px // patch_px) * patch_px
            msg = (
                f"windows of {window_px} px do not hold whole patches of {patch_px} px: geometry. "
                f"Set --model.init_args.geometry.init_args.window_px {fitting_px}."
            )
            raise UsageError(msg)

    @property
    def is_ready(self) -> bool:
        """Whether the codebook is filled."""
        return self.codebook.is_fitted

    def read_codebook(self, path: Path) -> None:
        """Loads a codebook of these features.

        Raises:
            WeightsError: It cannot be read, or is of other features.
        """
        self.codebook.load(path, cast(Backbone, self.backbone).dim)

    def save_codebook(self, path: Path) -> None:
        """Writes the codebook."""
        self.codebook.save(path)

    def networks(self) -> Mapping[str, nn.Module]:
        """The backbone, and the depth network if there is one."""
        return {"backbone": self.backbone, **({"depth": self.depth} if self.depth else {})}

    def manifest(self, inputs: ManifestInputs) -> Manifest:
        """Makes the manifest of the labels; with things and groups once the codebook knows them.

        Depth that was read is told like depth that is computed: its weights and supervision under
        `depth`; the numbers it was made with are the part `depth_files`.
        """
        parts, provenances = sources_of(self.networks(), inputs.parts, inputs.depth_record)
        codebook = self.codebook
        source = origin({**provenances, "codebook": {"weights": codebook.sources}})
        classes = codebook.metadata.get("classes")
        known = codebook.is_fitted
        return Manifest(
            k=codebook.wanted_k,
            label_space="oracle_classes" if classes else "clusters",
            classes=classes,
            parts=parts,
            weights={**source.weights, **self._read_by_confidence()},
            thing_ids=tuple(codebook.thing_categories.nonzero()[:, 0].tolist()) if known else None,
            groups=self._padded_groups() if known else None,
            codebook=codebook.sha256() if known else None,
            confidence=self.confidence.name if self.confidence else self.splitter.confidence_name,
            supervision=(*source.supervision, *codebook.metadata.get("supervision", ())),
            notes=(*source.notes, *codebook.metadata.get("notes", ())),
            images=dict.fromkeys(inputs.keys, "pending"),
        )

    def _padded_groups(self) -> tuple[int, ...]:
        """Groups of all ids that were asked for: a fit may find fewer clusters."""
        groups = self.codebook.category_groups.tolist()
        wanted = self.codebook.num_classes or self.codebook.wanted_k
        return (*groups, *[VOID] * (wanted - len(groups)))

    @property
    def observer(self) -> Observer:
        """The observer of images."""
        return Observer.of(self)

    @property
    def _looking(self) -> tuple[Needing, ...]:
        """The parts that say what they look at."""
        sure = () if self.confidence is None else (self.confidence,)
        return self.splitter, self.leftovers, *sure

    def _read_by_confidence(self) -> dict[str, str]:
        sources = {} if self.confidence is None else self.confidence.sources
        return {f"confidence/{name}": sha256 for name, sha256 in sources.items()}

    def label(
        self, image: Tensor, depth: Tensor | None, wanted: Collection[str] = ()
    ) -> LabelRecord:
        """Labels one image; see `Labeler.label`."""
        return self.label_by_key("", image, depth, wanted)

    def begin_batch(self, keys: Sequence[str], images: Tensor) -> None:
        """Notes which images may be looked at in one call."""
        self.looks.begin(keys, images)

    def label_by_key(
        self, key: str, image: Tensor, depth: Tensor | None, wanted: Collection[str] = ()
    ) -> LabelRecord:
        """Labels one image; the key is for parts that read what lies beside it."""
        needed = {*wanted, *(name for part in self._looking for name in part.needs)}
        seen = self.looks.take(key, self.observer)
        semantic, observation = self.observer.observe(image, depth, needed, seen)
        groups = self.codebook.category_groups

        def cut(seen: Observation) -> Tensor:
            return self.leftovers.fill(seen, self.splitter.split(seen.regions(groups)).instance)[1]

        def mirrored() -> Observation:
            mirror_depth = None if depth is None else depth.flip(-1)
            return self.observer.observe(image.flip(-1), mirror_depth, needed)[1]

        def sure(labelled: Observation, instance: Tensor, split: Split) -> Tensor:
            part = cast(Confidence, self.confidence)
            about = (labelled, instance, split, self.codebook, cut, mirrored, key)
            return part.of(Evidence(*about))

        told = None if self.confidence is None else sure
        return label_record(semantic, observation, groups, self.splitter, self.leftovers, told)
