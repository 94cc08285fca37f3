"""What every part that says how sure labels are must do; its test makes `confidence`."""

import dataclasses

import torch

from relief.models.codebooks.codebook import Codebook
from relief.models.confidence.evidence import Confidence, Evidence
from relief.schema.observation import Split
from relief.splitters.connected import ConnectedSplitter
from tests.contracts.splitter import THINGS, drawn_observation
from tests.fake_cuda import FakeCuda, on


def drawn_codebook(seed: int = 3) -> Codebook:
    """Four clusters of five channels; the second and third are things of one group."""
    codebook = Codebook()
    centroids = torch.rand(4, 5, generator=torch.Generator().manual_seed(seed))
    metadata = {"things": {"thing_shares": [0.1, 0.9, 0.6, 0.2]}}
    codebook.fill(centroids, THINGS, torch.tensor([-1, 0, 0, -1]), None, metadata)
    return codebook


def drawn_evidence(device: str = "cpu", **changes) -> Evidence:
    """The labels of one image, cut by its clusters; the mirror image is the same one mirrored."""
    observation = on(device, drawn_observation(batch=1, **changes))
    splitter = ConnectedSplitter(min_area_px=20)
    split = splitter.split(observation)
    sure = torch.where(split.instance > 0, 0.25, 1.0)
    mirrored = dataclasses.replace(
        observation, **{name: getattr(observation, name).flip(-1) for name in MAPS}
    )
    return Evidence(
        observation,
        split.instance[0],
        Split(split.instance, sure),
        drawn_codebook().to(device),
        cut=lambda seen: splitter.split(seen).instance,
        mirrored=lambda: mirrored,
        key="aachen/aachen_000001_000019",
    )


MAPS = ("semantic", "depth", "features")


class ConfidenceContract:
    """One float32 number in [0, 1] per pixel where the labels are, the same every time."""

    def confidence(self) -> Confidence:
        """Makes the part, set up for features of five channels."""
        raise NotImplementedError

    def test_each_pixel_has_a_number_between_0_and_1(self):
        part, evidence = self.confidence(), drawn_evidence()
        sure = part.of(evidence)
        assert sure.shape == evidence.semantic.shape
        assert sure.dtype == torch.float32
        assert sure.min() >= 0
        assert sure.max() <= 1
        assert torch.equal(part.of(evidence), sure)
        assert part.name.rsplit(".", 1)[-1]
        assert part.needs <= {"features", "depth", "image"}

    def test_labels_without_objects_have_numbers_too(self):
        evidence = drawn_evidence()
        none = torch.zeros_like(evidence.split.instance)
        without = dataclasses.replace(
            evidence,
            instance=none[0],
            split=Split(none, torch.zeros(none.shape)),
            cut=lambda seen: torch.zeros_like(seen.semantic),
        )
        assert torch.isfinite(self.confidence().of(without)).all()

    def test_it_computes_on_the_device_of_the_labels(self):
        expected = self.confidence().of(drawn_evidence())
        with FakeCuda():
            sure = self.confidence().of(drawn_evidence("cuda"))
            assert sure.is_cuda
            torch.testing.assert_close(on("cpu", sure), expected)
