import pytest
import torch

from relief.models.backbones.headed import HeadedBackbone, save_head, tokens_of
from relief.models.backbones.rgb_statistics import RGBStatistics
from relief.models.heads.cause_head import QueryHead
from relief.models.heads.head_learner import HeadLearner, HeadSettings
from relief.schema.errors import WeightsError
from tests.contracts.backbone import BackboneContract

HEAD = {
    "class_path": "relief.models.heads.cause_head.QueryHead",
    "init_args": {"dim": 5, "hidden": 8, "grid": 4},
}
SIZES = {"dim": 5, "hidden": 8, "grid": 4}


def write_head(path, seed=0, **about):
    torch.manual_seed(seed)
    settings = HeadSettings(codes=6, projection_dim=3)
    learner = HeadLearner(12, lambda width, codes: QueryHead(width, codes, **SIZES), settings)
    with torch.no_grad():
        for parameter in learner.student.parameters():
            parameter.add_(torch.randn_like(parameter))
    whole = {"head": HEAD, "body": {}, "supervision": ["labels of A"], **about}
    save_head(path, learner.tensors(), whole)
    return learner


@pytest.fixture
def file(tmp_path):
    write_head(tmp_path / "head.safetensors")
    return tmp_path / "head.safetensors"


class TestHeadedBackbone(BackboneContract):
    @pytest.fixture
    def backbone(self, file):
        return HeadedBackbone(RGBStatistics(4), str(file))


@pytest.mark.parametrize("which", ["mean", "student"])
def test_features_are_those_of_the_learned_head(tmp_path, which):
    learner = write_head(tmp_path / "head.safetensors", seed=3)
    learner.freeze_codebook()
    learned = (learner.teacher if which == "mean" else learner.student).head.eval()
    body, image = RGBStatistics(4), torch.rand(1, 3, 16, 24)
    part = HeadedBackbone(body, str(tmp_path / "head.safetensors"), which, mirrored=False)
    part.setup()
    with torch.no_grad():
        torch.testing.assert_close(part(image), learned(*tokens_of(body(image))))
        part.mirrored = True
        turned = part(image.flip(-1)).flip(-1)
        torch.testing.assert_close(turned, part(image), atol=1e-5, rtol=1e-5)
    assert part.provenance["supervision"] == ("labels of A",)


def test_an_untrained_head_has_the_codebook_and_other_values(file):
    parts = [HeadedBackbone(RGBStatistics(4), str(file), random_seed=seed) for seed in (None, 0, 1)]
    for part in parts:
        part.setup()
    assert all(torch.equal(part.head.codebook, parts[0].head.codebook) for part in parts)
    assert len({float(part.head.query_pos.sum()) for part in parts}) == 3


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        ({"body": {"features": "0" * 64}}, "learned from the tokens of another body"),
        ({"head": None}, "no head that train.py fit wrote"),
        (
            {"head": {"class_path": "os.system"}},
            r"os\.system is no class\. Put its class where Python finds it\.$",
        ),
    ],
)
def test_files_of_others_are_refused_in_a_line(tmp_path, about, reason):
    write_head(tmp_path / "head.safetensors", **about)
    with pytest.raises(WeightsError, match=reason) as error:
        HeadedBackbone(RGBStatistics(4), str(tmp_path / "head.safetensors")).setup()
    assert "\n" not in str(error.value)
