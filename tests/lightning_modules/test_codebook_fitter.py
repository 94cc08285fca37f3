import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.cluster import MiniBatchKMeans

from relief.formats.images import read_image
from relief.formats.label_store import LabelStore
from relief.models.backbones.rgb_statistics import RGBStatistics
from relief.models.codebooks.codebook import Codebook
from relief.ops.resize import resize_nearest
from relief.ops.sliding_window import sliding_window_features
from relief.sources.cityscapes import CityscapesSource
from tests.label_runs import label_bytes, run_label

ORACLE = (
    *("--data.init_args.fit_split", "val", "--thingness", "null"),
    *("--fitter.init_args.oracle_classes", "cityscapes19"),
    *("--fitter.init_args.kmeans", "relief.models.codebook_fitters.mini_batch.MiniBatchKMeans"),
    *("--fitter.init_args.kmeans.init_args.k", "4"),
)


def void_below(root, row):
    """Ground truth of the validation images is void from this row on."""
    for path in (root / "gtFine" / "val").rglob("*_gtFine_*Ids.png"):
        with Image.open(path) as image:
            blank = Image.new(image.mode, (image.width, image.height - row))
        labels = Image.open(path)
        labels.paste(blank, (0, row))
        labels.save(path)


def published_fit(root):
    """Centroids and their classes, written down plainly."""
    backbone, features, classes = RGBStatistics(2), [], []
    tree = CityscapesSource(root, "val")
    for key in tree.keys:
        image = read_image(tree.image_path(key))[None].float() / 255
        dense = sliding_window_features(backbone, image, 32, 16)
        patches = F.normalize(F.adaptive_avg_pool2d(dense, (16, 32))[0].flatten(1).T, dim=1)
        target = resize_nearest(tree.target(key)[None, ..., 0], (16, 32)).flatten()
        features.append(patches[target >= 0])
        classes.append(target[target >= 0])
    fitted = MiniBatchKMeans(4, batch_size=10000, max_iter=300, n_init=3, random_state=42)
    of = fitted.fit_predict(torch.cat(features).double().numpy())
    votes = torch.zeros(4, 19)
    for cluster, class_id in zip(of, torch.cat(classes), strict=True):
        votes[cluster, class_id] += 1
    return torch.from_numpy(fitted.cluster_centers_), votes.argmax(dim=1)


def test_the_published_fit_is_made_of_known_pixels_and_named_by_a_vote(tiny_cityscapes, tmp_path):
    void_below(tiny_cityscapes, 28)
    out = tmp_path / "out"
    assert run_label(tiny_cityscapes, out, *ORACLE) == 0
    codebook = Codebook()
    codebook.load(out / "codebook.safetensors")
    centroids, classes = published_fit(tiny_cityscapes)
    torch.testing.assert_close(codebook.centroids.double(), centroids, atol=1e-5, rtol=0)
    assert codebook.class_of_cluster.tolist() == classes.tolist()
    manifest = LabelStore(out).manifest
    assert manifest.classes == "cityscapes19"
    assert manifest.label_space == "oracle_classes"
    assert manifest.supervision[-2:] == (
        "codebook: centroids fitted on patches that are not void in the ground truth of val",
        "codebook: clusters named by a majority vote of the ground truth of val",
    )
    assert any(note.startswith("no cluster stands for ") for note in manifest.notes)


def test_a_run_with_the_published_fit_goes_on(tiny_cityscapes, tmp_path):
    out = tmp_path / "out"
    assert run_label(tiny_cityscapes, out, *ORACLE) == 0
    before = label_bytes(out)
    next((out / "panoptic").rglob("*.png")).unlink()
    assert run_label(tiny_cityscapes, out, *ORACLE) == 0
    assert label_bytes(out) == before


def test_without_ground_truth_it_is_refused(tiny_cityscapes, tmp_path, capsys):
    void_below(tiny_cityscapes, 0)
    assert run_label(tiny_cityscapes, tmp_path / "out", *ORACLE) == 2
    assert "no image of the fit split has ground truth" in capsys.readouterr().err


def test_something_has_to_decide_which_clusters_are_things(tiny_cityscapes, tmp_path, capsys):
    assert run_label(tiny_cityscapes, tmp_path / "out", "--thingness", "null") == 2
    assert "nothing decides which clusters are things: thingness." in capsys.readouterr().err


@pytest.mark.parametrize(("most", "read"), [(1, 1), (2, 2), (50, 3)])
def test_few_samples_come_from_few_images(tiny_cityscapes, tmp_path, most, read):
    out = tmp_path / "out"
    options = ("--fitter.init_args.max_samples", str(most), "--fitter.init_args.kmeans.init_args.k")
    assert run_label(tiny_cityscapes, out, *options, "1") == 0
    codebook = Codebook()
    codebook.load(out / "codebook.safetensors")
    assert codebook.metadata["fit"]["images"] == read
