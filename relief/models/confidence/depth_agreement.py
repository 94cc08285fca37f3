"""Sure of objects that another depth of the image cuts out too."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from relief.formats.depth_files import check_aspect
from relief.models.confidence.cut_agreement import agreement
from relief.models.confidence.evidence import Confidence, Evidence
from relief.ops.objects.panoptic_map import resize_depth
from relief.schema.errors import ReadError
from relief.schema.observation import DEPTH
from relief.schema.parts import DepthReader


class DepthAgreement(Confidence):
    """Cuts the same things by depth of another source: the IoU of each object with its best match.

    Args:
        files: Depth of the other source, such as `relief.formats.depth_files.FolderDepth`.
        split: Of the images that are labelled.
    """

    needs = frozenset({DEPTH})

    def __init__(self, files: DepthReader, split: str) -> None:
        self.files, self.split = files, split

    def of(self, evidence: Evidence) -> Tensor:
        """Reads the other depth and cuts by it; what is no object is sure.

        Raises:
            ReadError: The other source has no depth of the image, or a file that cannot be used.
        """
        path = self.files.find(self.split, evidence.key)
        if path is None:
            msg = f"no other depth for {evidence.key}: DepthAgreement. Make it or leave it out."
            raise ReadError(msg)
        depth, semantic = self.files.read(path)[None], evidence.semantic
        size = (semantic.shape[0], semantic.shape[1])
        check_aspect(depth, size, path)
        other = resize_depth(depth, size).to(semantic.device)
        seen = dataclasses.replace(evidence.observation, depth=other)
        return agreement(evidence, semantic, evidence.cut(seen)[0])
