"""Weights of random values in the files, names and sizes of the published ones.

    python -m benchmarks.random_weights FOLDER

They label nothing sensible. They show what the published networks cost.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from relief.models.backbones.cause_weights import random_like
from relief.models.depth.feature_unet import FeatureUNet
from relief.models.depth.query_depth_decoder import QueryDepthDecoder
from relief.models.heads.cause_head import QueryDecoder

WIDTH, DIM, HIDDEN, CODES, QUERIES, CLUSTERS = 768, 90, 2048, 2048, 529, 27


def dinov2_state_dict() -> dict[str, Tensor]:
    """A ViT-B/14 by the names of `dinov2_vitb14_pretrain.pth`."""
    with torch.device("meta"):
        vit = VisionTransformer(
            img_size=518, patch_size=14, embed_dim=WIDTH, depth=12, num_heads=12, init_values=1.0
        )
    tensors = {n: t for n, t in vit.state_dict().items() if not n.startswith("head")}
    return {**random_like(tensors, seed=0), "mask_token": torch.zeros(1, WIDTH)}


def segment_state_dict() -> dict[str, Tensor]:
    """Student and mean head by the names of `segment_tr.pth`, the codebook left out."""
    with torch.device("meta"):
        decoder = QueryDecoder(WIDTH, HIDDEN, DIM)
    head = {f"tr.{name}": tensor for name, tensor in decoder.state_dict().items()}
    head["query_pos"] = torch.empty(QUERIES, WIDTH)
    drawn = random_like(head, seed=1)
    return {f"{part}.{name}": t for part in ("head", "head_ema") for name, t in drawn.items()}


def spidepth_state_dicts() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The two files of SPIdepth for Cityscapes: ConvNeXt V2 huge, 64 queries, 64 bins."""
    torch.manual_seed(2)
    unet = FeatureUNet((352, 704, 1408, 2816), (3, 3, 27, 3), (1024, 512, 256, 128), 32)
    decoder = QueryDepthDecoder(dim=32, num_queries=64, num_bins=64, patch_size=32, num_heads=4)
    return unet.state_dict(), decoder.state_dict()


def write_random_weights(folder: Path) -> None:
    """Writes the files that `weights get` takes when a person put them there."""
    generator = torch.Generator().manual_seed(3)
    (folder / "cause").mkdir(parents=True, exist_ok=True)
    (folder / "spidepth").mkdir(exist_ok=True)
    torch.save(dinov2_state_dict(), folder / "dinov2_vitb14.pth")
    torch.save(segment_state_dict(), folder / "cause" / "segment_tr.pth")
    codebook = torch.randn(CODES, WIDTH, generator=generator)
    np.save(folder / "cause" / "modular.npy", codebook.numpy())
    probe = torch.randn(CLUSTERS, DIM, generator=generator)
    torch.save({"codebook": codebook, "cluster_probe": probe}, folder / "cause" / "cluster_tr.pth")
    encoder, decoder = spidepth_state_dicts()
    torch.save({**encoder, "height": 320, "width": 1024}, folder / "spidepth" / "encoder.pth")
    torch.save(decoder, folder / "spidepth" / "depth.pth")
    centroids = torch.randn(80, DIM, generator=generator).numpy()
    classes = np.arange(80) % 19
    np.savez(folder / "kmeans_centroids_k80.npz", centroids=centroids, cluster_to_class=classes)


if __name__ == "__main__":
    write_random_weights(Path(sys.argv[1]))
