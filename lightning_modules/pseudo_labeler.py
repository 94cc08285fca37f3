"""Images to panoptic pseudo-labels."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import cast

from torch import Tensor, nn

from lightning_modules.labeler import Labeler, origin, refuse_missing, sources_of
from relief.models.codebooks.codebook import Codebook
from relief.models.labelling.leftovers import LeaveVoid, Leftovers
from relief.models.labelling.observer import Observer
from relief.models.labelling.panoptic_labels import label_record
from relief.models.labelling.refined_segmentation import RefinedSegmentation
from relief.models.precision import Precision, run_in
from relief.schema.errors import UsageError
from relief.schema.geometry import WindowGeometry
from relief.schema.label_spaces import VOID
from relief.schema.manifest import Manifest, ManifestInputs
from relief.schema.observation import DEPTH, FEATURES, IMAGE, STUFF, LabelRecord
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
        precision: In which backbone and depth network compute; whatever follows is in float32.
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
    ) -> None:
        super().__init__()
        self.segmentation = segmentation
        self.leftovers = leftovers or LeaveVoid()
        self.backbone = backbone
        self.codebook = codebook
        self.splitter = splitter
        self.depth = depth
        self.geometry = geometry or WindowGeometry()
        self.split_short_side_px = split_short_side_px
        self.precision = precision

    def expect(self, *, has_depth: bool) -> None:
        """Refuses a run without an input that the splitter or the leftover rule needs.

        Raises:
            UsageError: They need depth, and neither files nor a network give any.
        """
        given = {FEATURES, IMAGE, STUFF, *([DEPTH] if has_depth or self.depth else [])}
        refuse_missing((self.splitter, self.leftovers), given)

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
            weights=source.weights,
            thing_ids=tuple(codebook.thing_categories.nonzero()[:, 0].tolist()) if known else None,
            groups=self._padded_groups() if known else None,
            codebook=codebook.sha256() if known else None,
            confidence=self.splitter.confidence_name,
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

    def label(
        self, image: Tensor, depth: Tensor | None, wanted: Collection[str] = ()
    ) -> LabelRecord:
        """Labels one image; see `Labeler.label`."""
        needed = {*wanted, *self.splitter.needs, *self.leftovers.needs}
        semantic, observation = self.observer.observe(image, depth, needed)
        return label_record(
            semantic, observation, self.codebook.category_groups, self.splitter, self.leftovers
        )
