from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from relief.models.backbones.cause_tr import CauseTR, PublishedCauseTR
from relief.models.precision import run_in
from relief.models.weights.files import sha256_of
from relief.models.weights.sources import find_source
from relief.ops.sliding_window import extract_windows, sliding_window_features
from relief.schema.errors import WeightsError
from relief.schema.parts import Backbone
from tests.contracts.backbone import BackboneContract

GOLDEN = Path(__file__).parents[3] / "golden" / "cause_tr.npz"
TOLERANCE = {"atol": 1e-4, "rtol": 0}


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN, allow_pickle=False) as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


@pytest.fixture
def state_dicts(golden):
    def part(prefix):
        return {n.removeprefix(prefix): t for n, t in golden.items() if n.startswith(prefix)}

    return part("w/backbone."), part("w/segment."), golden["codebook"]


@pytest.fixture
def network(state_dicts):
    return CauseTR.from_state_dicts(*state_dicts, num_heads=3)


def test_tokens(network, golden):
    tokens = network.tokens(golden["crop_u8"] / 255)
    torch.testing.assert_close(tokens, golden["backbone_tokens"], **TOLERANCE)


def test_crop_features(network, golden):
    assert isinstance(network, Backbone)
    features = network(golden["crop_u8"] / 255)
    torch.testing.assert_close(features, golden["crop_features"], **TOLERANCE)


@pytest.mark.parametrize("size", ["322x644", "434x700"])
def test_window_features(network, golden, size):
    image = golden[f"image_{size}_u8"] / 255
    expected = golden[f"window_features_{size}_at_7_14"]
    reference = sliding_window_features(network, image)[0, :, 7::14, 7::14]
    torch.testing.assert_close(reference, expected, **TOLERANCE)
    dense = extract_windows(network, image).dense()[:, 7::14, 7::14]
    torch.testing.assert_close(dense, expected, **TOLERANCE)


def test_class_logits(network, golden):
    features = extract_windows(network, golden["image_322x644_u8"] / 255).dense()
    features = torch.nn.functional.normalize(features[:, 7::14, 7::14], dim=0)
    cosines = torch.einsum("kc,chw->khw", golden["centroids"], features)
    expected = golden["class_logits_322x644_at_7_14"]
    for class_id in range(19):
        own = golden["cluster_to_class"] == class_id
        logit = cosines[own].amax(dim=0) if own.any() else torch.zeros(23, 46)
        torch.testing.assert_close(logit, expected[class_id], **TOLERANCE)


def test_cluster_and_class_maps(network, golden):
    features = extract_windows(network, golden["image_322x644_u8"] / 255)
    centroids = golden["centroids"]
    clusters = features.clusters(centroids)
    cosines = torch.einsum("kc,chw->khw", centroids, features.dense())
    assert_equal_but_for_near_ties(clusters, golden["cluster_map_322x644"].long(), cosines)
    class_of_cluster = golden["cluster_to_class"].long()
    classes = features.classes(centroids, class_of_cluster, num_classes=19)
    logits = torch.zeros(19, 322, 644)
    for class_id in class_of_cluster.unique():
        logits[class_id] = cosines[class_of_cluster == class_id].amax(dim=0)
    assert_equal_but_for_near_ties(classes, golden["class_map_322x644"].long(), logits)


def assert_equal_but_for_near_ties(ours, expected, logits):
    gap = logits.gather(0, ours[None])[0] - logits.gather(0, expected[None])[0]
    assert gap.abs().max() < 1e-4
    assert (ours != expected).float().mean() < 1e-3


def test_features_of_the_mirror_image_are_mirrored(network, golden):
    image = golden["crop_u8"] / 255
    mirrored = network(image.flip(-1))
    torch.testing.assert_close(mirrored.flip(-1), network(image), atol=1e-5, rtol=0)


def test_without_the_mirror_image(network, golden):
    image = golden["crop_u8"] / 255
    mean = network(image)
    network.mirrored = False
    one, other = network(image), network(image.flip(-1)).flip(-1)
    network.mirrored = True
    assert not torch.equal(one, mean)
    torch.testing.assert_close((one + other) / 2, mean)


def test_bfloat16_stays_close_and_returns_float32(state_dicts, golden):
    network = CauseTR.from_state_dicts(*state_dicts, num_heads=3)
    run_in(network, "bfloat16")
    features = network(golden["crop_u8"] / 255)
    assert features.dtype == torch.float32
    cosine = torch.nn.functional.cosine_similarity(features, golden["crop_features"])
    assert cosine.median() > 0.99
    assert not torch.equal(features, golden["crop_features"])


def test_windows_of_another_size_have_positions_too(network):
    features = network(torch.rand(1, 3, 98, 196))
    assert features.shape == (1, 90, 7, 14)


def test_what_the_published_files_hold_besides_is_ignored(state_dicts, network, golden):
    backbone, segment, codebook = state_dicts
    segment["head.tr.linear1.weight"] = torch.zeros(1)
    segment["projection_head.weight"] = torch.zeros(1)
    segment["projection_head_ema.weight"] = torch.zeros(1)
    segment["linear.weight"] = torch.zeros(1)
    again = CauseTR.from_state_dicts(backbone, segment, codebook, num_heads=3)
    assert torch.equal(again(golden["crop_u8"] / 255), network(golden["crop_u8"] / 255))


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        (0, lambda d: d.pop("norm.weight"), "backbone (no norm.weight)"),
        (0, lambda d: d.update(extra=torch.zeros(2)), "backbone (unknown extra)"),
        (0, lambda d: d.update({"norm.bias": torch.zeros(2)}), "norm.bias is (2,), expected (48,)"),
        (0, lambda d: d.clear(), "backbone (no pos_embed)"),
        (1, lambda d: d.pop("head_ema.tr.f1.bias"), "segment (no tr.f1.bias)"),
        (1, lambda d: d.update({"head_ema.tr.f3": torch.zeros(2)}), "unknown tr.f3"),
    ],
)
def test_other_names_and_shapes_are_refused(state_dicts, part, change, message):
    change(state_dicts[part])
    with pytest.raises(WeightsError) as error:
        CauseTR.from_state_dicts(*state_dicts, num_heads=3)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_parts_of_two_networks_are_refused(state_dicts):
    backbone, segment, _ = state_dicts
    with pytest.raises(WeightsError, match="body of 48 channels, head of 48, codebook of 32"):
        CauseTR.from_state_dicts(backbone, segment, torch.zeros(64, 32), num_heads=3)
    with pytest.raises(WeightsError, match="width 48 is no multiple of 5 heads"):
        CauseTR.from_state_dicts(backbone, segment, torch.zeros(64, 48), num_heads=5)


def test_a_saved_file_gives_the_same_features(network, golden, tmp_path):
    path = tmp_path / "small.safetensors"
    network.save(path, {"notes": ["learned on drawn scenes only"]})
    again = CauseTR(str(path), num_heads=3)
    assert again.provenance == {"weights": {}, "supervision": (), "notes": ()}
    again.setup()
    body = again.body
    again.setup()
    assert again.body is body
    image = golden["crop_u8"] / 255
    assert torch.equal(again(image), network(image))
    assert again.provenance == {
        "weights": {"features": sha256_of(path)},
        "supervision": (),
        "notes": ("learned on drawn scenes only",),
    }


def test_saving_twice_gives_the_same_bytes(network, tmp_path):
    for name in ("a.safetensors", "b.safetensors"):
        network.save(tmp_path / name, {"notes": ["x"], "supervision": [], "k": 3}, half=True)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert {t.dtype for t in load_file(tmp_path / "a.safetensors").values()} == {torch.float16}


def test_a_random_network_has_the_same_shapes_and_its_own_values(network, golden, tmp_path):
    path = tmp_path / "small.safetensors"
    network.save(path, {})
    image = golden["crop_u8"] / 255
    features = []
    for seed in (0, 0, 1):
        random = CauseTR(str(path), num_heads=3, random_seed=seed)
        random.setup()
        features.append(random(image))
    assert features[0].shape == (1, 90, 23, 23)
    assert torch.equal(features[0], features[1])
    assert not torch.allclose(features[0], features[2], atol=0.1)
    assert not torch.allclose(features[0], network(image), atol=0.1)
    assert features[0].std(dim=(0, 2, 3)).min() > 1e-3


def published_files(state_dicts, folder):
    backbone, segment, codebook = state_dicts
    torch.save(backbone, folder / "dinov2.pth")
    torch.save(segment, folder / "segment_tr.pth")
    np.save(folder / "modular.npy", codebook.numpy())
    return {
        "backbone": str(folder / "dinov2.pth"),
        "segment": str(folder / "segment_tr.pth"),
        "codebook": str(folder / "modular.npy"),
    }


def test_the_published_files(state_dicts, network, golden, tmp_path):
    files = published_files(state_dicts, tmp_path)
    published = PublishedCauseTR(**files, num_heads=3)
    published.setup()
    published.setup()
    image = golden["crop_u8"] / 255
    assert torch.equal(published(image), network(image))
    assert published.provenance["weights"] == {n: sha256_of(p) for n, p in files.items()}
    one_sided = PublishedCauseTR(**files, num_heads=3, mirrored=False)
    one_sided.setup()
    assert torch.equal(one_sided(image), network.one_sided(image))


def test_either_head_of_the_published_file_states_its_supervision(state_dicts, golden, tmp_path):
    backbone, mean, codebook = state_dicts
    student = {n.replace("head_ema.", "head."): t + 0.01 for n, t in mean.items()}
    extra = {"head.codebook": torch.zeros(1), "projection_head.weight": torch.zeros(1)}
    files = published_files((backbone, {**mean, **student, **extra}, codebook), tmp_path)
    renamed = {n.replace("head.", "head_ema."): t for n, t in student.items()}
    image = golden["crop_u8"] / 255
    for which, head, told in (
        ("mean", mean, "tuned its mean head with the ground truth"),
        ("student", renamed, "nearly label-free"),
    ):
        published = PublishedCauseTR(**files, num_heads=3, which=which)
        published.setup()
        expected = CauseTR.from_state_dicts(backbone, head, codebook, num_heads=3)
        assert torch.equal(published(image), expected(image))
        (sentence,) = published.provenance["supervision"]
        assert told in sentence
        assert sentence in find_source("cause/segment_tr.pth").supervision


def test_a_file_without_the_student_is_refused(state_dicts, tmp_path):
    files = published_files(state_dicts, tmp_path)
    with pytest.raises(WeightsError, match=r"segment_tr\.pth \(no head\.query_pos\)"):
        PublishedCauseTR(**files, num_heads=3, which="student").setup()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b, s, c: (s, b, c), r"dinov2\.pth \(no pos_embed\)"),
        (lambda b, s, c: (b, {"x": c}, c), r"segment_tr\.pth \(no head_ema\.query_pos\)"),
        (lambda b, s, c: (b, s, c[0]), r"modular\.npy \(codebook is \(48,\), expected 2 dim"),
        (
            lambda b, s, c: (b, {**s, "head_ema.query_pos": torch.zeros(48)}, c),
            r"segment_tr\.pth \(head_ema\.query_pos is \(48,\), expected 2 dimensions\)",
        ),
        (
            lambda b, s, c: (b, {**s, "head_ema.query_pos": torch.zeros(500, 48)}, c),
            r"segment_tr\.pth \(head_ema\.query_pos has 500 places, which are no square\)",
        ),
        (
            lambda b, s, c: ({**b, "pos_embed": torch.zeros(530, 48)}, s, c),
            r"dinov2\.pth \(pos_embed is \(530, 48\), expected 3 dimensions\)",
        ),
        (
            lambda b, s, c: (b, s, c[:, :32]),
            r"dinov2\.pth, .*segment_tr\.pth, .*modular\.npy \(body of 48 .* codebook of 32\)",
        ),
    ],
)
def test_errors_name_the_published_file(state_dicts, tmp_path, change, message):
    files = published_files(change(*state_dicts), tmp_path)
    with pytest.raises(WeightsError, match=rf"cannot load weights: .*{message}"):
        PublishedCauseTR(**files, num_heads=3).setup()


def test_setup_says_what_is_wrong_with_a_file(tmp_path):
    with pytest.raises(WeightsError, match=r"no weights: CauseTR\. Give"):
        CauseTR().setup()
    with pytest.raises(WeightsError, match=r"cannot load weights: .*none\.safetensors"):
        CauseTR(str(tmp_path / "none.safetensors")).setup()
    page = tmp_path / "page.safetensors"
    page.write_text("<html>not found</html>")
    with pytest.raises(WeightsError, match=r"cannot load weights: .*page\.safetensors"):
        CauseTR(str(page)).setup()
    other = tmp_path / "other.safetensors"
    save_file({"conv1.weight": torch.zeros(3), "codebook": torch.zeros(2, 2)}, other)
    with pytest.raises(WeightsError, match=r"other\.safetensors \(unknown conv1\.weight\)"):
        CauseTR(str(other)).setup()
    code = tmp_path / "code.pth"
    torch.save({"hook": print}, code)
    with pytest.raises(WeightsError, match=r"code\.pth holds code, not only weights; not loaded"):
        PublishedCauseTR(str(code), str(code), str(code)).setup()


def test_attention_of_body_and_head_goes_through_the_fused_function(network, monkeypatch):
    """On a GPU this is what keeps attention fast and small."""
    fused, queries = torch.nn.functional.scaled_dot_product_attention, []

    def counted(query, *arguments, **options):
        queries.append(query.shape[-2])
        return fused(query, *arguments, **options)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", counted)
    with torch.no_grad():
        network(torch.rand(1, 3, 28, 42))
    blocks = len(network.body.vit.blocks)
    assert queries == [1 + 6] * blocks + [6, 6]


def test_a_network_without_weights_says_so():
    with pytest.raises(RuntimeError, match=r"call setup\(\) first"):
        CauseTR()(torch.zeros(1, 3, 28, 28))


class TestCauseTR(BackboneContract):
    @pytest.fixture
    def backbone(self, network):
        return network
