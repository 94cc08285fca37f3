"""The published recipes as users type them, on small networks in files of the published names."""

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import cli
import label
from relief.formats.label_store import LabelStore
from relief.models.weights.files import ARRAY_KEY, sha256_of
from relief.models.weights.sources import CAUSE_HEADS, CAUSE_PROBE

ROOT = Path(__file__).parents[1]
CAUSE = ("--model.init_args.backbone.init_args.num_heads", "3")
DEPTH = (
    *("--model.init_args.depth.init_args.input_size", "[160, 512]"),
    *("--model.init_args.depth.init_args.patch_size", "16"),
)
SMALL = (
    *("--model.init_args.geometry.init_args.short_side_px", "56"),
    *("--model.init_args.geometry.init_args.window_px", "56"),
    *("--model.init_args.geometry.init_args.stride_px", "28"),
    *("--model.init_args.split_short_side_px", "32"),
    *("--model.init_args.splitter.init_args.min_area_px", "4"),
    *("--trainer.accelerator", "cpu", "--data.init_args.num_workers", "0"),
)
FEW = ("--fitter.init_args.kmeans.init_args.k", "6")
HEAD = f"backbone: {CAUSE_HEADS['mean']}"
IMAGENET = "depth: the body of the depth network was pre-trained with ImageNet labels"


def arrays(name: str, prefix: str) -> dict[str, torch.Tensor]:
    with np.load(ROOT / "tests" / "golden" / name, allow_pickle=False) as file:
        found = {n: torch.from_numpy(file[n]) for n in file.files if n.startswith(prefix)}
    return {n.removeprefix(prefix): tensor.contiguous() for n, tensor in found.items()}


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A folder with `weights/` to work in."""
    weights = tmp_path / "weights"
    (weights / "cause").mkdir(parents=True)
    (weights / "spidepth").mkdir()
    save_file(arrays("cause_tr.npz", "w/backbone."), weights / "dinov2_vitb14.safetensors")
    save_file(arrays("cause_tr.npz", "w/segment."), weights / "cause" / "segment_tr.safetensors")
    codebook = {ARRAY_KEY: arrays("cause_tr.npz", "codebook")[""]}
    save_file(codebook, weights / "cause" / "modular.safetensors")
    generator = torch.Generator().manual_seed(0)
    probe = {"cluster_probe": torch.randn(27, 90, generator=generator)}
    save_file(probe, weights / "cause" / "cluster_tr.safetensors")
    for part in ("encoder", "depth"):
        path = weights / "spidepth" / f"{part}.safetensors"
        save_file(arrays("spidepth.npz", f"{part}/"), path)
    np.savez(
        weights / "kmeans_centroids_k80.npz",
        centroids=torch.randn(80, 90, generator=generator).numpy(),
        cluster_to_class=np.arange(80) % 19,
    )
    monkeypatch.chdir(tmp_path)
    return weights


def label_by(recipe: str, root: Path, *options: str) -> int:
    """The exit code of a recipe that writes into a folder of its name."""
    config = str(ROOT / "configs" / "label" / f"{recipe}.yaml")
    given = ("--config", config, "--data.init_args.root", str(root), *SMALL, *options)
    return cli.exit_code(label.main, [*given, "--out", recipe])


def run(recipe: str, root: Path, *options: str) -> LabelStore:
    assert label_by(recipe, root, *options) == 0
    store = LabelStore(Path(recipe))
    assert all(store.readable(key) for key in store.manifest.images)
    return store


@pytest.mark.slow
def test_the_recipe_without_labels_and_the_same_from_several_scales(published, tiny_cityscapes):
    once = run("cityscapes", tiny_cityscapes, *CAUSE, *DEPTH, *FEW)
    manifest = once.manifest
    assert (manifest.k, manifest.label_space, manifest.classes) == (6, "clusters", None)
    assert manifest.supervision == (HEAD, IMAGENET)
    assert sorted(manifest.weights) == [
        *("backbone/backbone", "backbone/codebook", "backbone/segment"),
        *("depth/decoder", "depth/encoder"),
    ]
    codebook = ("--codebook", "cityscapes/codebook.safetensors")
    scaled = run("cityscapes_multi_scale", tiny_cityscapes, *CAUSE, *DEPTH, *FEW, *codebook)
    assert manifest.codebook == scaled.manifest.codebook
    key = next(iter(manifest.images))
    assert not torch.equal(once.semantic(key), scaled.semantic(key))


def test_the_published_centroids_declare_their_votes(published, tiny_cityscapes):
    manifest = run("cityscapes_k80", tiny_cityscapes, *CAUSE, *DEPTH).manifest
    assert (manifest.k, manifest.label_space) == (80, "oracle_classes")
    assert manifest.classes == "cityscapes19"
    assert manifest.supervision[:2] == (HEAD, IMAGENET)
    assert len(manifest.supervision) > 2
    file = published / "kmeans_centroids_k80.npz"
    assert manifest.weights["codebook/centroids"] == sha256_of(file)


def test_the_published_fit_declares_its_votes(published, tiny_cityscapes):
    manifest = run("cityscapes_published_fit", tiny_cityscapes, *CAUSE, *DEPTH, *FEW).manifest
    assert manifest.classes == "cityscapes19"
    assert len(manifest.supervision) > 2


def test_the_probe_needs_no_depth_and_another_one_is_refused(published, tiny_cityscapes, capsys):
    store = run("cityscapes_probe27", tiny_cityscapes, *CAUSE)
    assert store.manifest.k == 27
    assert store.manifest.supervision == (HEAD, f"codebook: {CAUSE_PROBE}")
    file = published / "cause" / "cluster_tr.safetensors"
    assert store.manifest.weights["codebook/cluster_probe"] == sha256_of(file)
    save_file({"cluster_probe": -load_file(file)["cluster_probe"]}, file)
    assert label_by("cityscapes_probe27", tiny_cityscapes, *CAUSE) == 2
    assert "weights.codebook/cluster_probe" in capsys.readouterr().err


def test_the_dense_crf(published, tiny_cityscapes):
    pytest.importorskip("pydensecrf")
    store = run("cityscapes_crf", tiny_cityscapes, *CAUSE, *DEPTH, *FEW)
    assert store.manifest.parts["model"]["init_args"]["segmentation"]


def test_plain_dino_is_declared_self_supervised(published, tiny_cityscapes, monkeypatch):
    create, sizes = timm.create_model, {"embed_dim": 24, "depth": 2, "num_heads": 3}

    def small(name, **given):  # depth networks are of timm too
        return create(name, **(sizes if name.startswith("vit_") else {}), **given)

    monkeypatch.setattr(timm, "create_model", small)
    network = timm.create_model("vit_small_patch8_224.dino", num_classes=0)
    save_file(network.state_dict(), published / "dino_vits8.safetensors")
    manifest = run("cityscapes_dino_vits8", tiny_cityscapes, *DEPTH, *FEW).manifest
    assert manifest.supervision == (IMAGENET,)
    assert "backbone/features" in manifest.weights


def test_photographs_of_any_size(published, tmp_path):
    pytest.importorskip("transformers")
    from tests.relief.models.depth.tiny_models import depth_anything

    depth_anything(published / "depth_anything_v2_small")
    rng = np.random.default_rng(0)
    folder = tmp_path / "photographs"
    folder.mkdir()
    for number, size in enumerate([(40, 60), (60, 40), (56, 56)]):
        pixels = rng.integers(0, 255, (4, 4, 3)).astype(np.uint8)
        Image.fromarray(pixels).resize(size[::-1]).save(folder / f"{number}.jpg")
    heads = ("--model.init_args.backbone.init_args.num_heads", "3")
    store = run("image_folder_dinov2", folder, *heads, *FEW)
    assert [store.semantic(key).shape for key in sorted(store.manifest.images)] == [
        *((40, 60), (60, 40), (56, 56)),
    ]
    assert store.manifest.supervision == ("depth: the depth network was trained with depth labels",)
