"""Images to objects without classes, by cutting in 3-D."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

from lightning_modules.labeler import Labeler, origin, sources_of
from relief.models.depth.sources import depth_at
from relief.models.labelling.cut_objects import OBJECT, cut_objects
from relief.models.labelling.refined_segmentation import Refiner
from relief.models.precision import Precision, run_in
from relief.ops.cuts.cut_3d import CutSettings
from relief.ops.resize import resize_nearest
from relief.schema.errors import UsageError
from relief.schema.geometry import scaled_size
from relief.schema.label_spaces import VOID
from relief.schema.manifest import Manifest, ManifestInputs
from relief.schema.observation import LabelRecord, Observation

_DEPTH_SHORT_SIDE_PX = 512
NO_REFINER = "masks stay at patch resolution: pydensecrf2 is not installed"


class CutLabeler(Labeler):
    """Labels the objects of any image, without names: CutS3D, or MaskCut without depth.

    Sick et al., "CutS3D: Cutting Semantics in 3D for 2D Unsupervised Instance Segmentation", 2024;
    Wang et al., "Cut and Learn for Unsupervised Object Detection and Instance Segmentation", 2023.
    One category, `OBJECT`; everything else is void. How sure an object is at a pixel goes to
    `confidence/`.

    Args:
        backbone: An `nn.Module` that fits `Backbone`.
        depth: A depth network, or `None` where depth comes with the images.
        uses_depth: `False` is MaskCut: depth is not looked at.
        size_px: (height, width) that every image is brought to, as published; or the short side of
            images that keep their aspect.
        num_masks: At most so many objects of an image.
        settings: Of the cut; what is not published is an option there.
        refiner: Draws borders; left out where its library is missing, which the manifest tells.
        precision: In which backbone and depth network compute.
    """

    def __init__(
        self,
        backbone: nn.Module,
        depth: nn.Module | None = None,
        uses_depth: bool = True,
        size_px: tuple[int, int] | int = (480, 480),
        num_masks: int = 3,
        settings: CutSettings = CutSettings(),  # noqa: B008  # frozen
        refiner: Refiner | None = None,
        precision: Precision = "float32",
    ) -> None:
        super().__init__()
        self.backbone, self.depth, self.uses_depth = backbone, depth, uses_depth
        self.size_px, self.num_masks, self.settings = size_px, num_masks, settings
        self.refiner, self.precision = refiner, precision
        self.notes: tuple[str, ...] = ()

    def expect(self, *, has_depth: bool) -> None:
        """Refuses a run without depth where cutting needs it.

        Raises:
            UsageError: Depth is asked for, and neither files nor a network give any.
        """
        if self.uses_depth and not has_depth and self.depth is None:
            msg = (
                "cutting in 3-D needs depth: nothing gives it. Set --data.init_args.depth (files) "
                "or --model.init_args.depth (a network), or --model.init_args.uses_depth false."
            )
            raise UsageError(msg)

    def networks(self) -> Mapping[str, nn.Module]:
        """The backbone, and the depth network if there is one that is looked at."""
        used = {"depth": self.depth} if self.depth is not None and self.uses_depth else {}
        return {"backbone": self.backbone, **used}

    def load_weights(self) -> None:
        """Reads the weights; a refiner whose library is missing is left out, and noted."""
        super().load_weights()
        try:
            if self.refiner is not None:
                self.refiner.setup()
        except UsageError:
            self.refiner, self.notes = None, (NO_REFINER,)
        for network in self.networks().values():
            run_in(network, self.precision)

    def manifest(self, inputs: ManifestInputs) -> Manifest:
        """Makes the manifest of the labels."""
        looked_at = inputs.depth_record if self.uses_depth else None
        parts, told = sources_of(self.networks(), inputs.parts, looked_at)
        source = origin(told)
        return Manifest(
            k=1,
            parts=parts,
            weights=source.weights,
            thing_ids=(OBJECT,),
            groups=(0,),
            confidence=f"{type(self).__module__}.{type(self).__qualname__}",
            supervision=source.supervision,
            notes=(*source.notes, *self.notes),
            images=dict.fromkeys(inputs.keys, "pending"),
        )

    def label(
        self, image: Tensor, depth: Tensor | None, wanted: Collection[str] = ()
    ) -> LabelRecord:
        """Labels one image; see `Labeler.label`."""
        del wanted
        own_size = (image.shape[-2], image.shape[-1])
        size = scaled_size(own_size, _DEPTH_SHORT_SIDE_PX)
        at_size = depth_at(self.depth, image, depth, size) if self.uses_depth else None
        found = cut_objects(
            self.backbone,
            image,
            at_size,
            size_px=self.size_px,
            num_masks=self.num_masks,
            settings=self.settings,
            refiner=self.refiner,
        )
        inside = found.instance > 0
        semantic = torch.where(inside, OBJECT, VOID)
        return LabelRecord(
            semantic=semantic,
            panoptic=torch.stack((semantic, found.instance), dim=-1),
            confidence=found.confidence,
            scores=found.scores,
            observation=Observation(
                semantic=resize_nearest(semantic[None], size),
                things=torch.ones(1, dtype=torch.bool),
                depth=at_size,
                features=found.features[None],
            ),
        )
